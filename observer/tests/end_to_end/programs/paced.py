"""Gets a URL repeatedly with a session of requests, with a pause in seconds after each request.

usage: paced.py URL TIMES PAUSE
"""

import sys
import time

import requests

url, times, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with requests.Session() as session:
    session.trust_env = False
    for _ in range(times):
        session.get(url, timeout=10).raise_for_status()
        time.sleep(pause)
