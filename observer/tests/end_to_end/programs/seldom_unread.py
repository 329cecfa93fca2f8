"""Gets a URL 300 times with a session of requests, and closes every thirtieth answer unread.

usage: seldom_unread.py URL
"""

import sys

import requests

with requests.Session() as session:
    session.trust_env = False
    for n in range(1, 301):
        with session.get(sys.argv[1], timeout=10, stream=True) as answer:
            answer.raise_for_status()
            if n % 30 != 0:
                answer.content
