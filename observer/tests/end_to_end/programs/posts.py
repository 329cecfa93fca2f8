"""Sends requests with these methods through a proxy on loopback, with a pause in seconds after each request.

usage: posts.py URL PROXY_PORT METHOD,... PAUSE
"""

import sys
import time

import requests

url, port, methods, pause = sys.argv[1:]
with requests.Session() as session:
    session.trust_env = False
    session.proxies = {"http": f"http://127.0.0.1:{port}"}
    for method in methods.split(","):
        session.request(method, url, timeout=10).raise_for_status()
        time.sleep(float(pause))
