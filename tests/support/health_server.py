#!/usr/bin/python3
"""grpc.health.v1.Health, and nothing else: health_server.py PORT STATE_FILE. The word in STATE_FILE is the answer: SERVING or NOT_SERVING."""
import sys
from concurrent import futures

import grpc

STATES = {"SERVING": 1, "NOT_SERVING": 2}


def check(request, context):
    return bytes([8, STATES[open(sys.argv[2]).read().strip()]])   # HealthCheckResponse{status = 1}


server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}),))
if server.add_insecure_port("127.0.0.1:" + sys.argv[1]) == 0:
    sys.exit("health_server.py: port %s is taken" % sys.argv[1])
server.start()
server.wait_for_termination()
