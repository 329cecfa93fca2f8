"""Asks Redis by Debian's client library, with a connection for each question. It introduces itself on each: it says its name
and chooses a database.

Its arguments are the port and how many connections.
"""

import sys

import redis

port, connections = map(int, sys.argv[1:])

for n in range(connections):
    client = redis.Redis(host="127.0.0.1", port=port, db=1, client_name="shop")
    assert client.get(f"page-{n}") is None
    client.close()
