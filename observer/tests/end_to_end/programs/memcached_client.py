"""Asks memcached by the library pymemcache. Its arguments are the port, how many connections, and how often each asks."""

import sys

from pymemcache.client.base import Client

port, connections, times = map(int, sys.argv[1:])

for connection in range(connections):
    client = Client(("127.0.0.1", port))
    for n in range(times):
        key = f"page-{connection}-{n}"
        assert client.get(key) is None
        # Without an answer it would be no exchange.
        assert client.set(key, b"x" * 5000, noreply=False)
        assert client.get(key) == b"x" * 5000
        assert client.delete(key, noreply=False)
    client.close()
