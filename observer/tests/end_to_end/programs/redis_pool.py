"""A pool of Redis connections, as client libraries keep it: opened ahead of use, with health checks at intervals.

The interval is in seconds.

usage: redis_pool.py PORT CONNECTIONS CHECKS INTERVAL
"""

import socket
import sys
import time

port, size, checks = map(int, sys.argv[1:4])
pause = float(sys.argv[4])


def ping(connection):
    connection.sendall(b"*1\r\n$4\r\nPING\r\n")
    answer = connection.recv(100)
    assert answer == b"+PONG\r\n", answer


pool = []
for _ in range(size):
    pool.append(socket.create_connection(("127.0.0.1", port), timeout=10))
    ping(pool[-1])
for _ in range(checks):
    time.sleep(pause)
    for connection in pool:
        ping(connection)
time.sleep(pause)
