"""Publishes messages to RabbitMQ with pika, and waits until each is confirmed.

usage: amqp_client.py PORT CONNECTIONS MESSAGES_PER_CONNECTION
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
