"""One HTTP/1.1 connection on loopback, with a request for each line of standard input.

It prints its pid after each request.

usage: http_client.py REMOTE_PORT LOCAL_PORT
"""

import http.client
import os
import sys

remote, local = map(int, sys.argv[1:])
connection = http.client.HTTPConnection("127.0.0.1", remote, timeout=10, source_address=("127.0.0.1", local))
for _ in sys.stdin:
    connection.request("GET", "/")
    connection.getresponse().read()
    print(os.getpid(), flush=True)
connection.close()
