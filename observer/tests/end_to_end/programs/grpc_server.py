"""A gRPC server that echoes each call of /echo/say.

It prints its port, serves until its standard input is closed, and prints how many calls it answered.
"""

import sys
from concurrent import futures

import grpc

answered = 0


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        def say(request, context):
            global answered
            answered += 1
            return request

        return grpc.unary_unary_rpc_method_handler(say)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
server.add_generic_rpc_handlers([Echo()])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(None).wait()
print(answered, flush=True)
