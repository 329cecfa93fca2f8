"""Makes a request on a connection of its own for each line of standard input, while its main thread has ended.

usage: main_thread_ends.py PORT
"""

import ctypes
import socket
import sys
import threading

REQUEST = b"GET / HTTP/1.1\r\n\r\n"


def work():
    for _ in iter(sys.stdin.readline, ""):
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
            connection.sendall(REQUEST)
            assert connection.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST
        print("asked", flush=True)


threading.Thread(target=work).start()
ctypes.CDLL(None).pthread_exit(None)
