"""Takes Kazoo's locks as it is told, for interop_kazoo_test.go.

Arguments: the servers to connect to, and how many sessions to open. Each line of
standard input is a request, each line of standard output an event, both JSON:

    {"id": 7, "do": "acquire", "session": 0, "kind": "WriteLock", "path": "/a",
     "patterns": []}
    {"id": 7, "event": "held", "node": "/a/0123...__lock__0000000003"}
    {"id": 7, "do": "release"}
    {"id": 7, "event": "released"}

The lock is held from before "held" is said until after "release" is read. It
ends at the end of its input.
"""

import json
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

output = threading.Lock()


def say(**event):
    with output:
        print(json.dumps(event), flush=True)


def acquire(client, request):
    kinds = {"Lock": client.Lock, "WriteLock": client.WriteLock, "ReadLock": client.ReadLock}
    if "leases" in request:
        lock = client.Semaphore(request["path"], request["kind"], max_leases=request["leases"])
        lock.acquire()
        return lock
    while True:
        # A new object each time: Kazoo makes the directory once for each, and the
        # last of those who held the lock has removed it.
        lock = kinds[request["kind"]](
            request["path"], request["kind"], extra_lock_patterns=request.get("patterns") or ()
        )
        try:
            lock.acquire()
            return lock
        except NoNodeError:
            pass  # removed between the making of the directory and its use


def hold(client, request, released):
    try:
        lock = acquire(client, request)
        node = lock.create_path if "leases" in request else request["path"] + "/" + lock.node
        say(id=request["id"], event="held", node=node)
        released.wait()
        lock.release()
        say(id=request["id"], event="released")
    except Exception as error:  # pylint: disable=broad-except
        say(id=request["id"], event="error", error=repr(error))


def main():
    servers, sessions = sys.argv[1], int(sys.argv[2])
    clients = [KazooClient(hosts=servers) for _ in range(sessions)]
    for client in clients:
        client.start()
    say(event="ready")
    held = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "release":
            held.pop(request["id"]).set()
            continue
        released = held[request["id"]] = threading.Event()
        client = clients[request["session"]]
        threading.Thread(target=hold, args=(client, request, released), daemon=True).start()
    for client in clients:
        client.stop()


main()
