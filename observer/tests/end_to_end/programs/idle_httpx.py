"""Gets a URL by the library httpx, which looks for connections that have been idle for too long at each request. Its arguments
are the URL, how often, the pause after each time and for how long connections are kept, in seconds."""

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
