"""Kazoo's lock, for the benchmark: does what each line of standard input says.

    pair SERVER NAME N        N times acquire and release
    storm SERVER NAME C N     N hand-offs among C contenders, who queue anew at once

Answers with a line of JSON: the milliseconds of each.
"""

import json
import logging
import sys
import threading
import time

from kazoo.client import KazooClient

logging.disable(logging.CRITICAL)
clients = {}


def client(server, i=0):
    if (server, i) not in clients:
        clients[server, i] = KazooClient(hosts=server, timeout=60)
        clients[server, i].start()
    return clients[server, i]


def pair(server, name, n):
    lock = client(server).Lock("/bench/kazoo/" + name, "bench")
    times = []
    for _ in range(int(n)):
        begin = time.perf_counter()
        lock.acquire()
        lock.release()
        times.append(1000 * (time.perf_counter() - begin))
    return times


def storm(server, name, contenders, n):
    contenders, n = int(contenders), int(n)
    times, last, inside = [], [None], [0]
    ready = threading.Barrier(contenders)

    def contend(lock):
        ready.wait()
        while len(times) < n:
            lock.acquire()
            now = time.perf_counter()
            inside[0] += 1
            if inside[0] != 1:
                raise SystemExit("two held one lock")
            if last[0] is not None:
                times.append(1000 * (now - last[0]))
            inside[0] -= 1
            last[0] = time.perf_counter()
            lock.release()

    threads = [
        threading.Thread(target=contend, args=(client(server, i).Lock("/bench/kazoo/" + name, str(i)),))
        for i in range(contenders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times[:n]


for line in sys.stdin:
    command, *arguments = line.split()
    print(json.dumps({"pair": pair, "storm": storm}[command](*arguments)), flush=True)
