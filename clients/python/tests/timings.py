"""Print how long mark, check and clear take with a watchdog that is up, absent and hanging, and what a process
gains in memory and threads. It needs nothing but Python and $WATCHDOG_BINARY, or Go.

    python3 clients/python/tests/timings.py
"""

import os
import statistics
import subprocess
import sys
import threading
import time

import harness  # first: it says where the client is
from finalizer_liveness import OK, Client

ROUNDS = 500
OWNED = 1000  # at once, to tell what one costs


def resident():
    """Kilobytes of memory that this process has to itself."""
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def timed(call, spans):
    began = time.perf_counter()
    result = call()
    spans.append(time.perf_counter() - began)
    return result


def measure(name, client, jobs, settle=False):
    """Mark, check and clear many jobs, while another stays owned so that what is known of the watchdog stays known."""
    keeper = client.own(0, run=OWNED + 1)
    marks, checks, clears, oks = [], [], [], 0
    for job in jobs:
        o = timed(lambda: client.own(job, run=job), marks)
        if settle:
            time.sleep(0.005)  # a finalizer has something to do before its first check
        oks += timed(o.check, checks).state == OK
        timed(o.clear, clears)
    keeper.clear()
    for call, spans in (("mark", marks), ("check", checks), ("clear", clears)):
        cuts = statistics.quantiles(spans, n=100)
        print("| %s | %s | %.3f | %.3f | %.3f |" % (name, call, cuts[49] * 1e3, cuts[98] * 1e3, max(spans) * 1e3))
    return oks


def footprint(socket):
    """What importing the client, and then owning, adds to a process."""
    program = """
import sys; sys.path[:0] = %r
import timings, threading, json, os, socket, logging, asyncio, uuid
before = timings.resident(), threading.active_count(), len(os.listdir('/proc/self/fd'))
c = timings.Client(%r)
kept = [c.own(1, run=1)]
one = timings.resident(), threading.active_count(), len(os.listdir('/proc/self/fd'))
kept += [c.own(j, run=j) for j in range(2, timings.OWNED + 1)]
many = timings.resident()
print(one[0] - before[0], (many - one[0]) / (timings.OWNED - 1), one[1] - before[1], one[2] - before[2])
os._exit(0)
""" % ([os.path.dirname(os.path.abspath(__file__))], socket)
    memory, each, threads, fds = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    print("\nowning one job adds %s KiB, %s thread and %s descriptors; each further job %.1f KiB" %
          (memory, threads, fds, float(each)))


def main():
    print("Python %s, %d rounds, milliseconds\n\n| watchdog | call | p50 | p99 | max |\n| --- | --- | --- | --- | --- |" %
          (sys.version.split()[0], ROUNDS))
    watchdog = harness.Watchdog(WATCHDOG_HEARTBEAT_LEASE="15s", WATCHDOG_REAPER_FINALIZE_GRACE="2m")
    try:
        with watchdog.database.connect() as db:
            now = time.time()
            for job in range(OWNED + 1):
                db.execute("INSERT INTO jobs (id, status, attempt, created_at, started_at) VALUES (?, 'running', 1, ?, ?)",
                           (job, now, now))
                db.execute("INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) VALUES (?, ?, 0, ?, ?)",
                           (job or OWNED + 1, job, now, now))
        client = Client(watchdog.socket)
        oks = measure("up", client, range(1, ROUNDS + 1), settle=True)
        client.close()
        absent = Client(watchdog.socket + ".none")
        measure("absent", absent, range(1, ROUNDS + 1))
        absent.close()
        hanging = harness.Fake(harness.hang)
        client = Client(hanging.socket)
        first = harness.spent(lambda: client.own(-1, run=1))
        measure("hanging", client, range(1, ROUNDS + 1))
        client.close()
        hanging.close()
        print("\n%d of %d checks were ok; the first call to a hanging watchdog took %.1f ms" % (oks, ROUNDS, first * 1e3))
        footprint(watchdog.socket)
    finally:
        watchdog.close()
    assert threading.active_count() < 10


if __name__ == "__main__":
    main()
