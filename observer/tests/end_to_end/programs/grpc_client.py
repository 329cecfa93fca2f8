"""Calls /echo/say over gRPC.

Channels share no connections, because each has its own pool of subchannels. With `in_turn`, each channel is closed
before the next one is opened; with `at_once`, all are open together.

usage: grpc_client.py PORT CHANNELS CALLS_PER_CHANNEL in_turn|at_once
"""

import sys

import grpc

port, channels, calls, order = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


def opened():
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])


def call(channel):
    assert channel.unary_unary("/echo/say")(b"hello", timeout=10) == b"hello"


if order == "in_turn":
    for _ in range(channels):
        with opened() as channel:
            for _ in range(calls):
                call(channel)
else:
    pool = [opened() for _ in range(channels)]
    for channel in pool:
        for _ in range(calls):
            call(channel)
    for channel in pool:
        channel.close()
