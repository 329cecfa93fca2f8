"""A web socket from this process to itself, with the library websockets: in the clear, or within TLS.

It prints its port, waits for a line, sends and receives messages on one connection, and prints the server's counts.
With --held it connects and upgrades before it prints its port.
"""

import argparse
import asyncio
import json
import ssl
import sys

import websockets

MESSAGES = 20

parser = argparse.ArgumentParser()
parser.add_argument("--certificate", help="file with a certificate and its key")
parser.add_argument("--held", action="store_true", help="connect first")
options = parser.parse_args()


def contexts():
    if options.certificate is None:
        return None, None
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(options.certificate)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    for context in (server, client):
        context.set_alpn_protocols(["http/1.1"])
    return server, client


def say(**what):
    print(json.dumps(what), flush=True)


async def main():
    server_tls, client_tls = contexts()
    counted = {"upgrades": 0, "messages": 0}

    async def talk(socket):
        counted["upgrades"] += 1
        async for message in socket:
            counted["messages"] += 1
            await socket.send(message)
            if counted["messages"] % 5 == 0:
                await socket.send("news")

    async with websockets.serve(talk, "127.0.0.1", 0, ssl=server_tls) as server:
        port = server.sockets[0].getsockname()[1]
        address = f"{'wss' if client_tls else 'ws'}://127.0.0.1:{port}/"

        async def wait():
            say(port=port)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

        if not options.held:
            await wait()
        async with websockets.connect(address, ssl=client_tls) as socket:
            if options.held:
                await wait()
            for n in range(MESSAGES):
                await socket.send(f"message {n}")
                await socket.recv()
            for _ in range(MESSAGES // 5):
                await socket.recv()
    say(**counted)


asyncio.run(main())
