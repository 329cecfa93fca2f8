"""Sends requests through a proxy: those that are named, one after the other. Its arguments are the URL, the proxy's port, the
methods, and the pause after each request, in seconds."""

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
