"""Opens connections to an address that does not answer, to ports from 1 on, and holds them until its input ends."""

import errno
import resource
import socket
import sys

PORTS = 1_000
address, connections = sys.argv[1], int(sys.argv[2])
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
pending = []
for n in range(connections):
    client = socket.socket()
    client.setblocking(False)
    assert client.connect_ex((address, 1 + n % PORTS)) == errno.EINPROGRESS
    pending.append(client)
print("pending", flush=True)
sys.stdin.read()
