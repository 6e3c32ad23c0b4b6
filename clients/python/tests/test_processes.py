"""Forks, pools, workers that a master forks, and the end of the interpreter."""

import multiprocessing
import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time
import unittest

import harness  # first: it says where the client is
import finalizer_liveness
from finalizer_liveness import UNKNOWN, Client

PYTHON = str(pathlib.Path(harness.__file__).parents[1])


def owned_in_pool(socket):
    finalizer_liveness._HELLO_WITHIN = harness.PATIENT
    client = Client(socket, timeout=harness.PATIENT)
    with client.own(os.getpid(), run=1) as o:
        return o.granted


def in_child(work):
    """Fork, run work in the child, and return what it gave as text."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, str(work()).encode() or b"-")
        except BaseException as why:
            os.write(write, repr(why).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        text = told.read()
    os.waitpid(pid, 0)
    return text


class Processes(unittest.TestCase):
    def served(self):
        script = harness.Script()
        fake = harness.Fake(script)
        self.addCleanup(fake.close)
        return script, fake, harness.marked(self, fake, timeout=harness.PATIENT)

    def test_a_fork_survives_in_the_parent_only(self):
        script, fake, client = self.served()
        o = client.mark(1, run=2)

        def child():
            began = time.monotonic()
            answer = o.check()
            at_once = time.monotonic() - began < harness.PATIENT  # for which it would wait
            o.step("merge")
            o.clear()
            client.clear(1)
            owned = client.is_owned(1)
            with client.own(3, run=4) as mine:
                return [answer.state, answer.proceed, at_once, owned, mine.granted, mine.check().state]

        self.assertEqual(str([UNKNOWN, False, True, False, True, "ok"]), in_child(child))
        self.assertTrue(client.is_owned(1))
        self.assertTrue(o.check())
        self.assertEqual(2, fake.connections, "the child connected by itself")
        self.assertEqual(["3"], [r["job"] for r in script.asked("clear")])

    def test_the_end_of_a_with_in_a_child_means_nothing(self):
        script, _, client = self.served()
        with client.own(1, run=2) as o:
            def child():
                with o:
                    return "left"
            self.assertEqual("left", in_child(child))
            self.assertTrue(client.is_owned(1))
        self.assertEqual(1, len(script.asked("clear")))

    def test_a_fork_while_others_call(self):
        _, _, client = self.served()
        stop = threading.Event()

        def busy():
            while not stop.is_set():
                with client.own(1, run=2) as o:
                    o.check()

        threads = [threading.Thread(target=busy) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            for _ in range(20):
                self.assertEqual("True", in_child(lambda: client.own(5, run=1).granted))
        finally:
            stop.set()
            for t in threads:
                t.join()

    def test_multiprocessing(self):
        _, fake, client = self.served()
        client.mark(1, run=2)
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method=method), multiprocessing.get_context(method).Pool(2) as pool:
                self.assertEqual([True] * 4, pool.map(owned_in_pool, [fake.socket] * 4))
        self.assertTrue(client.is_owned(1))

    def test_workers_of_a_master_that_has_a_client(self):
        """As under gunicorn with preload: the master makes the client, and each worker marks."""
        _, fake, _ = self.served()
        program = """
            import os
            import finalizer_liveness as f
            f._default['client'] = f.Client(timeout=60)
            workers = []
            for job in range(3):
                pid = os.fork()
                if pid == 0:
                    f.mark(job, run=1)
                    os._exit(0 if f.is_owned(job) else 1)
                workers.append(pid)
            assert all(os.waitpid(pid, 0)[1] == 0 for pid in workers)
            assert not f.is_owned(0)
        """
        self.assertEqual(("", ""), self.run_program(program, fake.socket))
        self.assertEqual(3, fake.connections)

    def test_the_end_of_the_interpreter_is_quiet(self):
        _, fake, _ = self.served()
        quiet = {
            "at rest": "f.mark(1, run=2)",
            "without a watchdog": "f.Client('/nowhere/at/all').mark(1, run=2)",
            "in a with": "o = f.own(1, run=2).__enter__()",
            "a call when all is over": """
                class Late:
                    def __del__(self):
                        f.clear(1)
                late = Late()
                f.mark(1, run=2)
            """,
            "at exit": "import atexit; atexit.register(lambda: f.clear(1)); f.mark(1, run=2)",
            "logging": "import logging; logging.basicConfig(level=60); f.mark(1, run=2)",
        }
        for name, program in quiet.items():
            with self.subTest(name):
                program = self.PATIENTLY + textwrap.dedent(program)
                self.assertEqual(("", ""), self.run_program(program, fake.socket))

    PATIENTLY = "import finalizer_liveness as f; f._HELLO_WITHIN = f._TAIL_WAIT = 60\n"

    def test_its_thread_has_ended_before_the_interpreter_is_taken_apart(self):
        """Also one that takes longer to end than a call may: into what is taken apart then it would crash."""
        _, fake, _ = self.served()
        program = """
            import atexit, logging, threading, time

            def end():  # after the client's: it was registered before
                assert not [t for t in threading.enumerate() if t.name == "finalizer-liveness"]

            atexit.register(end)
            import finalizer_liveness as f; f._HELLO_WITHIN = f._TAIL_WAIT = 60

            class Slow(logging.Handler):
                def emit(self, record):
                    logs.set()
                    client._link.quit.wait()
                    time.sleep(0.2)

            client, logs = f.Client(), threading.Event()
            logging.getLogger("finalizer_liveness").addHandler(Slow())
            logging.getLogger("finalizer_liveness").setLevel(logging.INFO)
            client.own(1, run=2)
            logs.wait()
        """
        self.assertEqual(("", ""), self.run_program(program, fake.socket))

    def test_threads_may_call_until_the_interpreter_is_taken_apart(self):
        """They have ended by then: a daemon thread that runs into it may crash any program, as Python's manual says."""
        _, fake, _ = self.served()
        program = """
            import atexit, collections, threading
            stop, calls = threading.Event(), collections.Counter()

            def end():  # after the client's: it was registered before
                assert not [t for t in threading.enumerate() if t.name == "finalizer-liveness"]
                before = dict(calls)
                while any(calls[t] < before[t] + 2 for t in threads):
                    stop.wait(0.001)
                stop.set()
                for t in threads:
                    t.join()

            atexit.register(end)
            import finalizer_liveness as f; f._HELLO_WITHIN = f._TAIL_WAIT = 60

            def busy():
                while not stop.is_set():
                    with f.own(threading.get_ident(), run=2) as o:
                        o.check()
                    calls[threading.current_thread()] += 1

            threads = [threading.Thread(target=busy, daemon=True) for _ in range(4)]
            for t in threads:
                t.start()
            while not all(calls[t] for t in threads):
                stop.wait(0.001)
        """
        self.assertEqual(("", ""), self.run_program(program, fake.socket))

    def run_program(self, program, socket):
        env = dict(os.environ, PYTHONPATH=PYTHON, WATCHDOG_SOCKET=socket)
        done = subprocess.run([sys.executable, "-X", "dev", "-c", textwrap.dedent(program)], env=env,
                              capture_output=True, text=True, timeout=harness.PATIENT)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout, done.stderr


if __name__ == "__main__":
    unittest.main()
