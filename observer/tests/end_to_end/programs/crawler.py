"""Connects to many addresses that refuse, then makes a request to an address of its own for each line of standard input.

usage: crawler.py REFUSING_PORT ADDRESSES PORT
"""

import itertools
import socket
import sys

REQUEST = b"GET / HTTP/1.1\r\n\r\n"

refusing, addresses, port = map(int, sys.argv[1:])


def address(n):
    return f"127.1.{n >> 8}.{n & 255}"


for n in range(addresses):
    with socket.socket() as client:
        client.connect_ex((address(n), refusing))
print("refused", flush=True)
for n, _ in zip(itertools.count(addresses), sys.stdin):
    with socket.create_connection((address(n), port)) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST
    print("asked", flush=True)
