"""Processes that come and go: each has a name of its own, asks once on one connection, and exits."""

import os
import socket
import sys

port, first, end = map(int, sys.argv[1:])


def ask(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(b"hello")
    answer = b""
    while len(answer) < 5:
        answer += stream.recv(5 - len(answer))
    stream.close()


for number in range(first, end):
    child = os.fork()
    if child == 0:
        try:
            ask(f"p{number}")
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit(f"p{number} ended with {status}")
