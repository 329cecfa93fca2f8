"""Asks Redis by Debian's client library, with a client of its own for each task.

Its arguments are the port, how many tasks, how many threads, how many commands for each task, and "keep" if the clients are
kept until the end."""

import sys
from concurrent.futures import ThreadPoolExecutor

import redis

port, tasks, threads, commands = map(int, sys.argv[1:5])
kept = []


def work(task):
    client = redis.Redis(host="127.0.0.1", port=port, db=1)
    for n in range(commands):
        client.set(f"task-{task}-{n}", n)
    if "keep" in sys.argv:
        kept.append(client)
    else:
        client.close()


with ThreadPoolExecutor(threads) as pool:
    list(pool.map(work, range(tasks)))
