"""Kazoo's lock, for the benchmark.

With the arguments "run LOCK COMMAND...", it runs the command under the lock. Else it
does what each line of standard input says, and answers with a line of JSON:

    pair SERVER LOCK N        N times acquire and release: the milliseconds of each
"""

import json
import logging
import os
import subprocess
import sys
import time

from kazoo.client import KazooClient

def run(lock, command):
    client = KazooClient(hosts=os.environ["KAZOO_SERVERS"], timeout=float(os.environ["KAZOO_TIMEOUT"]))
    client.start()
    with client.Lock("/bench/kazoo/" + lock):
        code = subprocess.call(command)
    client.stop()
    sys.exit(code)


if sys.argv[1:2] == ["run"]:
    run(sys.argv[2], sys.argv[3:])

logging.disable(logging.CRITICAL)
clients = {}


def client(server):
    if server not in clients:
        clients[server] = KazooClient(hosts=server, timeout=60)
        clients[server].start()
    return clients[server]


def pair(server, name, n):
    lock = client(server).Lock("/bench/kazoo/" + name, "bench")
    times = []
    for _ in range(int(n)):
        begin = time.perf_counter()
        lock.acquire()
        lock.release()
        times.append(1000 * (time.perf_counter() - begin))
    return times


for line in sys.stdin:
    command, *arguments = line.split()
    print(json.dumps(pair(*arguments)), flush=True)
