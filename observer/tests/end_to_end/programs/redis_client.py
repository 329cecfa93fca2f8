"""Sends commands to Redis with redis-py, each on a connection of its own.

On each connection redis-py first sets the client's name and selects a database.

usage: redis_client.py PORT CONNECTIONS
"""

import sys

import redis

port, connections = map(int, sys.argv[1:])

for n in range(connections):
    client = redis.Redis(host="127.0.0.1", port=port, db=1, client_name="shop")
    assert client.get(f"page-{n}") is None
    client.close()
