"""A watchdog to test against: the built one with a database, or one whose every line the test writes."""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "clients" / "python"))

import finalizer_liveness  # noqa: E402
from finalizer_liveness import Client  # noqa: E402

PATIENT = 60.0
"""Seconds that something may take in a test of what comes about, not when: the machine may be busy."""

SETTINGS = {
    "WATCHDOG_LISTEN": "127.0.0.1:0",
    "WATCHDOG_HEARTBEAT_LEASE": "1s",
    "WATCHDOG_REAPER_INTERVAL": "100ms",
    "WATCHDOG_REAPER_FINALIZE_GRACE": "5m",  # Database.age goes past it
    "WATCHDOG_REAPER_CEILING": "10m",
    "WATCHDOG_CHECK_HOLD": "2s",
}


def binary():
    """The watchdog of $WATCHDOG_BINARY, or else one that is built from this tree."""
    if "WATCHDOG_BINARY" in os.environ:
        return os.environ["WATCHDOG_BINARY"]
    folder = tempfile.mkdtemp(prefix="wdbin")
    path = os.path.join(folder, "watchdog")
    subprocess.run(["go", "build", "-o", path, "./cmd/watchdog"], cwd=ROOT, check=True,
                   env=dict(os.environ, CGO_ENABLED="0"))
    os.environ["WATCHDOG_BINARY"] = path
    return path


def until(seen, within=PATIENT, what="it did not come"):
    """Wait until seen() is true, and return what it gave."""
    end, pause = time.monotonic() + within, 0.005
    while True:
        found = seen()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(what)
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


class Database:
    """An orchestrator's SQLite file with the schema of the default set."""

    def __init__(self, path):
        self.path = path
        self.run("PRAGMA journal_mode=wal")
        schema = ROOT / "sql" / "sets" / "orchestrator" / "sqlite" / "schema.sql"
        with self.connect() as db:
            db.executescript(schema.read_text())

    @contextlib.contextmanager
    def connect(self):
        db = sqlite3.connect(self.path, timeout=10)
        try:
            with db:
                yield db
        finally:
            db.close()

    def run(self, statement, *values):
        with self.connect() as db:
            return db.execute(statement, values).fetchall()

    def job(self, job, stage="deploy-staging", status="running", run=None, finished=True):
        """Add a job whose run has just finished, unless told otherwise; so has the run the job's id."""
        now = time.time()
        with self.connect() as db:
            db.execute("INSERT INTO tasks (id, ref, stage) VALUES (?, ?, ?)", (job, "ORCH-%d" % job, stage))
            db.execute("INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) VALUES (?, ?, ?, 1, ?, ?)",
                       (job, job, status, now, now))
            db.execute("INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) VALUES (?, ?, 0, ?, ?)",
                       (run or job, job, now, now if finished else None))

    def finish(self, job):
        self.run("UPDATE agent_runs SET finished_at = ? WHERE job_id = ?", time.time(), job)

    def age(self, job):
        """Make the job and its run older: past the grace of the tests' watchdogs, and not past their ceiling."""
        ago = "started_at = started_at - 400"
        self.run("UPDATE agent_runs SET %s, finished_at = finished_at - 400 WHERE job_id = ?" % ago, job)
        self.run("UPDATE jobs SET %s, created_at = created_at - 400 WHERE id = ?" % ago, job)

    def status(self, job):
        return self.run("SELECT status FROM jobs WHERE id = ?", job)[0][0]


class Watchdog:
    """The built watchdog over a database of its own."""

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="wd")
        self.socket = os.path.join(self.folder, "s")
        self.database = Database(os.path.join(self.folder, "db"))
        self.log = open(os.path.join(self.folder, "log"), "ab")
        env = {k: v for k, v in os.environ.items() if not k.startswith("WATCHDOG_")}
        env.update(SETTINGS, WATCHDOG_SOCKET=self.socket, WATCHDOG_DATABASE_URL="sqlite:" + self.database.path)
        env.update(settings)
        self.env = env
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([binary(), "serve"], env=self.env, stdout=self.log, stderr=self.log)
        try:
            until(self.answers)
        except AssertionError:
            raise AssertionError("the watchdog did not start: " + self.logged()) from None

    def ask(self, **request):
        with contextlib.closing(Wire(self.socket)) as wire:
            return wire.ask(**request)

    def answers(self):
        try:
            return self.ask(op="status").get("ok")
        except (OSError, ValueError):
            return False

    def logged(self):
        return pathlib.Path(self.folder, "log").read_text()

    def reaps(self, job):
        """The reasons for which it reaped a job."""
        lines = (shlex.split(line) for line in self.logged().splitlines() if "msg=reaped" in line)
        words = (dict(word.split("=", 1) for word in line if "=" in word) for line in lines)
        return [w["reason"] for w in words if w["job"] == str(job)]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Wire:
    """A connection that is spoken on by hand."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENT)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.lines = self.sock.makefile("rb")

    def ask(self, **request):
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(self.lines.readline())

    def close(self):
        self.lines.close()
        self.sock.close()


class Fake:
    """A socket whose every connection a function serves: it is called with a file to read and one to write."""

    def __init__(self, serve):
        self.folder = tempfile.mkdtemp(prefix="wd")
        self.socket = os.path.join(self.folder, "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        self.listener.listen(16)
        self.serve = serve
        self.connections = 0
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                if self.listener.fileno() < 0:
                    return
                time.sleep(0.01)  # out of descriptors, as a test may make it
                continue
            self.connections += 1
            self.open.append(conn)
            threading.Thread(target=self.talk, args=(conn,), daemon=True).start()

    def talk(self, conn):
        with contextlib.suppress(OSError, ValueError), conn, conn.makefile("rb") as lines, conn.makefile("wb", buffering=0) as out:
            self.serve(lines, out)

    def close(self):
        self.listener.close()
        for conn in self.open:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        shutil.rmtree(self.folder, ignore_errors=True)


class Script:
    """Serves as a watchdog that answers each op with the next of its answers, the last one again and again.

    An answer is a dict, to which the request's id is added unless it has one; bytes are sent as they are; a list
    is several of these; None is silence.
    """

    def __init__(self, **answers):
        self.answers = {"hello": [{"ok": True, "v": 1, "session": "s", "lease_s": 60, "beat_s": 1}], "beat": [{"ok": True}],
                        "mark": [{"ok": True, "token": 42}], "check": [{"ok": True, "hold_s": 30}],
                        "step": [{"ok": True}], "clear": [{"ok": True}]}
        self.answers.update(answers)
        self.requests = []

    def __call__(self, lines, out):
        for line in lines:
            request = json.loads(line)
            self.requests.append(request)
            left = self.answers[request["op"]]
            answer = left.pop(0) if len(left) > 1 else left[0]
            for said in answer if isinstance(answer, list) else [answer]:
                self.say(out, said, request)

    @staticmethod
    def say(out, said, request):
        if said is None:
            return
        if isinstance(said, bytes):
            out.write(said)
            return
        if "event" not in said:
            said = dict({"id": request["id"]}, **said)
        out.write(json.dumps(said).encode() + b"\n")

    def asked(self, op):
        return [r for r in list(self.requests) if r["op"] == op]


def hang(lines, out):
    """Serve by accepting, and never answering."""
    lines.read()


def marked(case, watchdog, **options):
    """A client of a watchdog or a fake, closed when the test ends. However long hello and the end of its thread
    take, they are waited for."""
    client = Client(watchdog.socket, **options)
    patch(case, "_HELLO_WITHIN", PATIENT)
    patch(case, "_TAIL_WAIT", PATIENT)
    case.addCleanup(client.close)
    return client


def patch(case, name, value):
    """Change the client's module until the test ends."""
    patched = unittest.mock.patch.object(finalizer_liveness, name, value)
    patched.start()
    case.addCleanup(patched.stop)


class Clock:
    """Stands in for the client's clock until the test ends, and goes on only when it is told to."""

    def __init__(self, case):
        self.now = finalizer_liveness._boottime()
        patch(case, "_boottime", lambda: self.now)

    def skip(self, seconds):
        self.now += seconds


def scans(client, clock):
    """Have the client look three times for who ended without a clear, a second apart, and say what it finds.
    It looks whenever it has read: a mark's reply, before the reply to the clear."""
    for _ in range(3):
        clock.skip(1)
        client.own(SCANS, run=1).clear()


SCANS = "scans"
"""The job that scans owns."""


def cleared(script):
    """The jobs that were cleared, but for that of scans."""
    return [r["job"] for r in script.asked("clear") if r["job"] != SCANS]


class TooSlow(AssertionError):
    """Something took longer than it may."""


def faster(took, bound, what=""):
    if took >= bound:
        raise TooSlow("it took %g s, not less than %g: %s" % (took, bound, what))


def calmly(measure):
    """What a body gives that measures how long something takes. A machine that is busy for a moment fails no test: what is
    slow by itself is slow each time."""
    for _ in range(19):
        with contextlib.suppress(TooSlow):
            return measure()
    return measure()


def spent(call):
    """How many seconds a call took."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


def own_threads():
    return [t for t in threading.enumerate() if t.name == "finalizer-liveness"]
