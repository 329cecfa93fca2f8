"""One connection over HTTP/1.1 from a chosen port of loopback to another one, with a request for each line that it gets.

It answers each with its process id.
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
