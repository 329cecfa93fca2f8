"""Sends commands to memcached with pymemcache, four in each round.

usage: memcached_client.py PORT CONNECTIONS ROUNDS_PER_CONNECTION
"""

import sys

from pymemcache.client.base import Client

port, connections, times = map(int, sys.argv[1:])

for connection in range(connections):
    client = Client(("127.0.0.1", port))
    for n in range(times):
        key = f"page-{connection}-{n}"
        assert client.get(key) is None
        # A command without an answer would be no exchange.
        assert client.set(key, b"x" * 5000, noreply=False)
        assert client.get(key) == b"x" * 5000
        assert client.delete(key, noreply=False)
    client.close()
