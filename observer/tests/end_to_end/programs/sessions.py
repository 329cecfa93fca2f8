"""Gets a URL with sessions of requests: one after the other, in threads, or in processes. The pause is in seconds.

usage: sessions.py URL in-turn|threads|processes SESSIONS TIMES_PER_SESSION PAUSE_AFTER_EACH
"""

import os
import sys
import threading
import time

import requests

url, how = sys.argv[1:3]
sessions, times = map(int, sys.argv[3:5])
pause = float(sys.argv[5])


def work():
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(times):
            session.get(url, timeout=10).raise_for_status()
            time.sleep(pause)


def fork():
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


if how == "threads":
    threads = [threading.Thread(target=work) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
elif how == "processes":
    for pid in [fork() for _ in range(sessions)]:
        os.waitpid(pid, 0)
else:
    for _ in range(sessions):
        work()
