"""A client and a server whose sockets exchange messages through a sockmap, bypassing TCP.

It prints its port, waits for a line, connects, sends its requests, prints the number of answers, waits for a line, and
exits.

usage: sockmap.py REQUESTS
"""
import ctypes, json, os, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
MAP_CREATE, MAP_UPDATE, PROG_LOAD, PROG_ATTACH = 0, 2, 5, 8
SOCKMAP, SK_MSG, SK_MSG_VERDICT, INGRESS = 15, 16, 7, 1
REDIRECT_MAP = 60


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = libc.syscall(BPF, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(command))
    return result


def instruction(code, registers=0, offset=0, immediate=0):
    return struct.pack("<BBhi", code, registers, offset, immediate)


sockets = bpf(MAP_CREATE, struct.pack("<IIII", SOCKMAP, 4, 4, 2))
# The message goes to the other socket: r3 = (local port is the server's) ? 0 : 1.
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
program = b"".join([
    # r4 = msg->local_port, at 64 in struct sk_msg_md, in host byte order
    instruction(0x61, 0x14, 64),
    instruction(0xB7, 0x03, 0, 0),
    instruction(0x15, 0x04, 1, port),
    instruction(0xB7, 0x03, 0, 1),
    # r2 = the map, r4 = to its receive queue; redirect
    instruction(0x18, 0x12, 0, sockets), instruction(0),
    instruction(0xB7, 0x04, 0, INGRESS),
    instruction(0x85, 0, 0, REDIRECT_MAP),
    instruction(0x95),
])
code, licence = ctypes.create_string_buffer(program, len(program)), ctypes.create_string_buffer(b"GPL")
verdict = bpf(PROG_LOAD, struct.pack("<IIQQ", SK_MSG, len(program) // 8, ctypes.addressof(code), ctypes.addressof(licence)))
bpf(PROG_ATTACH, struct.pack("<IIII", sockets, verdict, SK_MSG_VERDICT, 0))


def put(index, stream):
    key, value = struct.pack("<I", index), struct.pack("<I", stream.fileno())
    key, value = ctypes.create_string_buffer(key, 4), ctypes.create_string_buffer(value, 4)
    bpf(MAP_UPDATE, struct.pack("<IIQQQ", sockets, 0, ctypes.addressof(key), ctypes.addressof(value), 0))


def say(**what):
    print(json.dumps(what), flush=True)


say(port=port)
sys.stdin.readline()
client = socket.create_connection(("127.0.0.1", port))
accepted = server.accept()[0]
put(0, client)
put(1, accepted)
answers = 0
for _ in range(int(sys.argv[1])):
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert accepted.recv(100).startswith(b"GET ")
    accepted.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    answers += 1
say(answers=answers)
sys.stdin.readline()
client.close()
accepted.close()
