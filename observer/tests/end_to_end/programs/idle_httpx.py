"""Gets a URL with httpx, which checks for idle connections to close at each request. Times are in seconds.

usage: idle_httpx.py URL TIMES PAUSE KEEPALIVE_EXPIRY
"""

import sys
import time

import httpx

url = sys.argv[1]
times = int(sys.argv[2])
pause, kept = map(float, sys.argv[3:])
with httpx.Client(limits=httpx.Limits(keepalive_expiry=kept), trust_env=False) as client:
    for _ in range(times):
        client.get(url).raise_for_status()
        time.sleep(pause)
