"""Many processes at the same time. Each sends one request on one connection and keeps it until it ends. The first half end
after a line on standard input, and the others at its end.

usage: crowd.py PORT PROCESSES
"""

import os
import socket
import sys

REQUEST = b"GET / HTTP/1.1\r\n\r\n"

port, processes = map(int, sys.argv[1:])


def start(others):
    """Returns the pid of a process that has asked, and the descriptor whose close ends it."""
    life, end = os.pipe()
    has_asked, asked = os.pipe()
    pid = os.fork()
    if pid == 0:
        for descriptor in [end, has_asked, *others]:
            os.close(descriptor)
        stream = socket.create_connection(("127.0.0.1", port))
        stream.sendall(REQUEST)
        assert stream.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST
        os.write(asked, b"!")
        os.read(life, 1)
        os._exit(0)
    os.close(life)
    os.close(asked)
    assert os.read(has_asked, 1) == b"!"
    os.close(has_asked)
    return pid, end


def finish(crowd):
    for pid, end in crowd:
        os.close(end)
        os.waitpid(pid, 0)


crowd = []
for _ in range(processes):
    crowd.append(start([end for _, end in crowd]))
print("all ask", flush=True)
sys.stdin.readline()
finish(crowd[: processes // 2])
print("half have ended", flush=True)
sys.stdin.read()
finish(crowd[processes // 2 :])
