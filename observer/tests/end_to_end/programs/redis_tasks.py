"""Sends commands to Redis with redis-py, with a client of its own for each task.

With "keep", all clients stay open until the end.

usage: redis_tasks.py PORT TASKS THREADS COMMANDS_PER_TASK [keep]
"""

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
