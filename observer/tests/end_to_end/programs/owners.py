"""A connection to an echo peer that changes hands in the given way, with two requests.

It prints the name and pid of the process that connects.

usage: owners.py forked|orphaned|threaded|passed|replaced PORT
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading

PR_SET_NAME = 15
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


def connect():
    """Prints the name and pid of this process, and connects."""
    with open("/proc/self/comm") as comm:
        print(json.dumps({"pid": os.getpid(), "process": comm.read().rstrip("\n")}), flush=True)
    return socket.create_connection(("127.0.0.1", int(sys.argv[2])))


def ask(connection):
    connection.sendall(REQUEST)
    assert connection.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST


def forked():
    connection = connect()
    child = os.fork()
    ask(connection) if child == 0 else os.waitpid(child, 0)
    if child != 0:
        ask(connection)


def orphaned():
    connection = connect()
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(write)
        os.read(read, 1)
        ask(connection)
        ask(connection)


def threaded():
    connections = []

    def named(work):
        ctypes.CDLL(None).prctl(PR_SET_NAME, b"worker", 0, 0, 0)
        work()

    for work in (lambda: connections.append(connect()), lambda: ask(connections[0])):
        thread = threading.Thread(target=named, args=[work])
        thread.start()
        thread.join()
    ask(connections[0])


def passed():
    connection = connect()
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", sys.argv[0], "receives", str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as other:
        socket.send_fds(ours, [b"."], [connection.fileno()])
        connection.close()
    assert other.returncode == 0


def receives():
    with socket.socket(fileno=int(sys.argv[2])) as theirs:
        _, descriptors, _, _ = socket.recv_fds(theirs, 1, 1)
    connection = socket.socket(fileno=descriptors[0])
    ask(connection)
    ask(connection)


def replaced():
    connection = connect()
    ask(connection)
    number = connection.fileno()
    os.set_inheritable(number, True)
    os.execv("/bin/bash", ["bash", "-c", f"printf 'GET / HTTP/1.1\\r\\n\\r\\n' >&{number}; read -r -N 18 <&{number}"])


{"forked": forked, "orphaned": orphaned, "threaded": threaded, "passed": passed, "receives": receives,
 "replaced": replaced}[sys.argv[1]]()
