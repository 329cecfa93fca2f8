"""Gets a URL as often as told with a session of requests, and waits after each time."""

import sys
import time

import requests

url, times, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with requests.Session() as session:
    session.trust_env = False
    for _ in range(times):
        session.get(url, timeout=10).raise_for_status()
        time.sleep(pause)
