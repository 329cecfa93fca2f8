"""HTTP/1.1 over TLS on one connection, with OpenSSL. Options select the steps of the client."""

import argparse
import http.client
import socket
import ssl
import sys

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--times", type=int, default=3, help="number of requests")
parser.add_argument("--upload", type=int, default=0, help="bytes to post with each request")
parser.add_argument("--cert", help="file with a client certificate and its key")
parser.add_argument("--alpn", action="store_true", help="offer http/1.1")
parser.add_argument("--no-middlebox", action="store_true", help="send no change cipher spec in TLS 1.3")
parser.add_argument("--tickets-first", action="store_true", help="read session tickets before the first request")
parser.add_argument("--tickets-between", action="store_true", help="read session tickets between a head and its body")
parser.add_argument("--unwrap", action="store_true", help="send close_notify at the end, and wait for the server's")
parser.add_argument("--held", action="store_true", help="print \"held\" after the first request, and wait for a line")
options = parser.parse_args()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
if options.cert:
    context.load_cert_chain(options.cert)
if options.alpn:
    context.set_alpn_protocols(["http/1.1"])
if options.no_middlebox:
    context.options &= ~ssl.OP_ENABLE_MIDDLEBOX_COMPAT

stream = context.wrap_socket(socket.create_connection(("127.0.0.1", options.port), timeout=10))


def read_tickets():
    """The library consumes the tickets; the program itself reads no data."""
    stream.settimeout(0.2)
    try:
        raise SystemExit(f"unexpected data: {stream.recv(1)}")
    except TimeoutError:
        stream.settimeout(10)


if options.tickets_first:
    read_tickets()

connection = http.client.HTTPConnection("127.0.0.1", options.port)
connection.sock = stream
for n in range(options.times):
    if options.held and n == 1:
        print("held", flush=True)
        sys.stdin.readline()
    if options.upload:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(options.upload))
        connection.endheaders()
        if options.tickets_between:
            read_tickets()
        connection.send(bytes(options.upload))
    else:
        connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    answer.read()
assert connection.sock is stream, "the connection was replaced"
if options.unwrap:
    stream.unwrap().close()
else:
    stream.close()
