"""Short-lived processes, one after the other: each has its own name, sends one request on one connection, and exits.

usage: many_processes.py PORT FIRST_NUMBER END_NUMBER
"""

import os
import socket
import sys

REQUEST = b"GET / HTTP/1.1\r\n\r\n"

port, first, end = map(int, sys.argv[1:])


def ask(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(REQUEST)
    assert stream.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST
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
