"""Publishes to RabbitMQ by the library pika, and waits until each message is confirmed.

Its arguments are the port, how many connections, and how many messages on each.
"""

import sys

import pika

port, connections, messages = map(int, sys.argv[1:])

for _ in range(connections):
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
    channel = connection.channel()
    channel.queue_declare("jobs")
    channel.confirm_delivery()
    for _ in range(messages):
        channel.basic_publish("", "jobs", b"job", mandatory=True)
    connection.close()
