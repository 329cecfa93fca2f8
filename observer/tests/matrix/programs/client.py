# A client of the matrix with Python's requests: "session" uses one Session for all requests of a cell, "none" uses none.
#
# Each line on standard input is a cell. For each cell, the program prints how many requests succeeded.
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import requests

# requests warns about unverified certificates.
warnings.simplefilter("ignore")


def pieces(length):
    for start in range(0, length, 10_000):
        yield bytes(min(10_000, length - start))


def request(requester, cell):
    url, _, _, length, read, upload, chunked, _ = cell
    data = None
    if upload:
        data = pieces(upload) if chunked else bytes(upload)
    method = "POST" if upload else "GET"
    answer = requester.request(method, url, data=data, verify=False, stream=not read, timeout=10)
    answer.raise_for_status()
    if read:
        assert len(answer.content) == length, f"{len(answer.content)} bytes of {length}"
    else:
        answer.close()


def run(kind, cell):
    _, times, at_once, _, _, _, _, pause_ms = cell
    requester = requests
    if kind == "session":
        requester = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=2)
        requester.mount("http://", adapter)
        requester.mount("https://", adapter)
    rounds = times // at_once
    with ThreadPoolExecutor(at_once) as threads:
        for round in range(rounds):
            if pause_ms and round == rounds // 2:
                time.sleep(pause_ms / 1000)
            for result in [threads.submit(request, requester, cell) for _ in range(at_once)]:
                result.result()
    if kind == "session":
        requester.close()
    return times


for line in sys.stdin:
    url, times, at_once, length, read, upload, chunked, pause_ms = line.split()
    numbers = int(times), int(at_once), int(length), read == "true", int(upload), chunked == "true", int(pause_ms)
    print(run(sys.argv[1], (url, *numbers)), flush=True)
