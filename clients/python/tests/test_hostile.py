"""What a host program does to a client that lives in it: signals, held locks, forks, threads that die, descriptors
that run out."""

import ctypes
import gc
import itertools
import logging
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
import unittest

import harness
from finalizer_liveness import OK, UNKNOWN

BOUND = 0.05
SLACK = harness.PATIENT  # a busy machine's; what waits for the lock would wait for ever


class SoftTimeLimit(Exception):
    """What a supervisor's signal handler raises in the main thread."""


class Hostile(unittest.TestCase):
    def served(self, timeout=harness.PATIENT, **answers):
        script = harness.Script(**answers)
        fake = harness.Fake(script)
        self.addCleanup(fake.close)
        return script, harness.marked(self, fake, timeout=timeout)

    def after(self, seconds, call):
        """Run call in a signal handler of this thread."""
        self.handle(call)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def when(self, seen, call):
        """Run call in a signal handler of this thread once something is seen."""
        def send():
            harness.until(seen)
            os.kill(os.getpid(), signal.SIGALRM)

        self.handle(call)
        sending = threading.Thread(target=send)
        sending.start()
        self.addCleanup(sending.join)

    def handle(self, call):
        before = signal.signal(signal.SIGALRM, lambda *_: call())
        self.addCleanup(signal.signal, signal.SIGALRM, before)

    def test_what_a_busy_client_is_told_is_done_later(self):
        script, client = self.served(BOUND, mark=[{"ok": True, "token": t} for t in range(1, 9)])
        first, second = client.own(1, run=2), client.mark(2, run=2)
        harness.until(lambda: first.granted and second.granted)
        third = []
        with client._link:
            for call in (lambda: third.append(client.own(3, run=2)), first.clear, lambda: client.clear(2),
                         lambda: third[0].step("merge"), first.adopt, lambda: client.is_owned(1)):
                harness.faster(harness.spent(call), BOUND + SLACK)
            self.assertEqual((UNKNOWN, True), (third[0].check().state, third[0].check().proceed))
        harness.until(lambda: third[0].granted and len(script.asked("clear")) == 2 and script.asked("step"))
        harness.until(lambda: third[0].check().state == OK)
        self.assertTrue(client.is_owned(3))

    def test_a_first_mark_of_a_busy_client_needs_no_second_call(self):
        _, client = self.served(BOUND)
        with client._link:
            o = client.own(1, run=2)
        harness.until(lambda: o.granted)

    def test_calls_of_a_signal_handler_within_calls(self):
        script, client = self.served(BOUND, mark=[{"ok": True, "token": t} for t in range(1, 100000)])
        calls = 0

        def handle():
            nonlocal calls
            calls += 1
            with client.own("within", run=calls) as o:
                o.check()
            signal.setitimer(signal.ITIMER_REAL, 0.0007)

        self.after(0.0007, handle)
        end = time.monotonic() + 1
        while calls < 2 or time.monotonic() < end:
            with client.own(1, run=2) as o:
                o.step("merge")
                o.check()
        signal.setitimer(signal.ITIMER_REAL, 0)
        harness.until(lambda: not client._link.talk.book.owned)
        self.assertEqual(OK, client.own(3, run=2).check(timeout=harness.PATIENT).state)

    def test_a_finalizer_of_the_garbage_collector_within_calls(self):
        script, client = self.served()

        class Dropped:
            def __del__(self):
                client.clear(1)
                client.own(2, run=2).clear()

        o = client.mark(1, run=2)
        threshold = gc.get_threshold()
        self.addCleanup(gc.set_threshold, *threshold)
        gc.set_threshold(1, 1, 1)
        for _ in range(50):
            cycle = Dropped()
            cycle.itself = cycle
            del cycle
            with client.own(3, run=2) as other:
                other.check(timeout=BOUND)
        gc.set_threshold(*threshold)
        gc.collect()
        harness.until(lambda: not client._link.talk.book.owned)
        self.assertFalse(o.revoked.is_set())

    def test_close_of_a_signal_handler_within_a_call(self):
        _, client = self.served(BOUND)
        harness.patch(self, "_TAIL_WAIT", BOUND)  # for which the handler waits in vain: the thread needs the lock
        client.mark(1, run=2)
        closed = []
        self.after(0.02, lambda: closed.append(client.close()))
        with client._link:
            harness.until(lambda: closed)
        client.close()
        harness.until(lambda: client._link._thread is None)

    def test_what_a_signal_handler_raises_is_the_callers(self):
        script, client = self.served(check=[{"ok": True, "hold_s": 1}, None], clear=[None])
        o = client.own(1, run=2)

        def interrupt():
            raise SoftTimeLimit

        for call, asked in ((o.check, lambda: len(script.asked("check")) == 2), (o.clear, lambda: script.asked("clear"))):
            self.when(asked, interrupt)
            with self.assertRaises(SoftTimeLimit):
                call()
        self.assertTrue(o._clearing)

    def test_a_mark_that_a_signal_handler_breaks_off_owns_nothing(self):
        script = harness.Script(mark=[None])
        fake = harness.Fake(script)
        client = harness.marked(self, fake, timeout=harness.PATIENT)

        def interrupt():
            fake.close()  # so that the clear waits for no reply
            raise SoftTimeLimit

        self.when(lambda: script.asked("mark"), interrupt)
        with self.assertRaises(SoftTimeLimit):
            client.own(1, run=2)
        self.assertEqual(set(), client._link.talk.book.owned)

    def test_a_thread_that_died_is_noticed(self):
        script, client = self.served()
        o = client.mark(1, run=2)
        thread = client._link._thread
        hook, threading.excepthook = threading.excepthook, lambda args: None
        self.addCleanup(setattr, threading, "excepthook", hook)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        harness.until(lambda: not thread.is_alive())
        with self.assertLogs("finalizer_liveness", logging.ERROR):
            harness.until(lambda: o.check(timeout=harness.PATIENT).state == OK)
        self.assertEqual([None, 42], [m.get("token") for m in script.asked("mark")])
        harness.until(lambda: len(harness.own_threads()) == 1)  # those of closed clients end

    def test_a_log_handler_that_raises_ends_nothing(self):
        class Broken(logging.Handler):
            def handle(self, record):
                raise RuntimeError("the disk is full")

        broken = Broken()
        logging.getLogger("finalizer_liveness").addHandler(broken)
        self.addCleanup(logging.getLogger("finalizer_liveness").removeHandler, broken)
        event = {"event": "revoked", "job": "1", "token": 42, "reason": "backstop"}
        _, client = self.served(step=[[event, {"ok": True}], {"ok": True}], mark=[{"ok": True, "token": 42}, {"ok": True, "token": 43}])
        o = client.mark(1, run=2)
        o.step("merge")
        self.assertTrue(o.revoked.wait(harness.PATIENT))
        self.assertFalse(client.mark(1.5, run=2).granted)
        self.assertEqual(OK, client.mark(2, run=2).check().state)
        self.assertTrue(client._link._thread.is_alive())

    def test_a_fault_of_its_own_is_told_once_a_second(self):
        _, client = self.served()
        o = client.mark(1, run=2)
        client._link.talk.check = None
        with self.assertLogs("finalizer_liveness") as logs:
            began = time.monotonic()
            for _ in range(200):
                self.assertEqual((UNKNOWN, False), (o.check().state, o.check().proceed))
            most = 2 + (time.monotonic() - began)
        self.assertLess(len(logs.output), most)
        self.assertIn("Traceback", logs.output[0])

    def test_a_stranger_to_every_session_asks_no_more_than_once_a_beat(self):
        script, client = self.served(check=[{"ok": False, "error": "not-owner"}])
        began = time.monotonic()
        client.mark(1, run=2)
        time.sleep(0.5)
        asked = len(script.asked("mark"))
        self.assertLess(asked, 3 + (time.monotonic() - began))

    def test_who_is_refused_again_and_again_is_not_remembered_for_ever(self):
        _, client = self.served(mark=[{"ok": False, "error": "owned"}])
        logging.getLogger("finalizer_liveness").disabled = True
        self.addCleanup(setattr, logging.getLogger("finalizer_liveness"), "disabled", False)
        for job in range(1200):
            client.mark(job, run=1)
        self.assertLessEqual(len(client._link.talk.book.refused), 1000)

    def test_descriptors_that_run_out(self):
        script, client = self.served(BOUND)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with self.assertLogs("finalizer_liveness", logging.WARNING) as logs:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            o = client.mark(1, run=2)
            for _ in range(20):
                self.assertTrue(o.check(), "there never was protection")
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertIn("no thread can be started", logs.output[0])
        self.assertEqual(1, len(logs.output))
        harness.until(lambda: o.check().state == OK)

    def test_no_connection_for_want_of_descriptors_is_a_watchdog_that_is_away(self):
        fake = harness.Fake(harness.Script())
        self.addCleanup(fake.close)
        client = harness.marked(self, fake)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with self.assertLogs("finalizer_liveness", logging.INFO) as logs:
            heard = client._link.bell.hang()
            client._link.bell.hang = lambda: heard
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            o = client.mark(1, run=2)
            harness.until(lambda: client._link.talk.away)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            harness.until(lambda: o.granted)
        self.assertNotIn("Traceback", "".join(logs.output))

    def test_a_host_that_dies_of_broken_pipes(self):
        """As a program does that gave SIGPIPE its default back."""
        fake = harness.Fake(lambda lines, out: harness.Script()(itertools.islice(lines, 3), out))
        self.addCleanup(fake.close)
        program = """
            import signal, time
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            import finalizer_liveness as f
            link = f.mark(1, run=2)._link
            with link:  # which the thread needs to see that the watchdog has hung up
                session = link.talk.session
                while session is not None and not session.ended:
                    session.ask("beat", {})
                    session.flush()
                    time.sleep(0.01)
        """
        env = dict(os.environ, PYTHONPATH=str(harness.ROOT / "clients" / "python"), WATCHDOG_SOCKET=fake.socket)
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=env, capture_output=True, text=True, timeout=harness.PATIENT)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_a_fork_while_an_event_is_being_set(self):
        _, client = self.served()
        o = client.mark(1, run=2)
        with o.revoked._cond:  # as the thread has it for a moment
            pid = os.fork()
            if pid == 0:
                threading.Timer(harness.PATIENT, os._exit, (1,)).start()
                o.revoked.wait(0)
                os._exit(0)
        self.assertEqual(0, os.waitpid(pid, 0)[1])


class OfGevent:
    """As the threads that gevent puts in the place of Python's, which are none of Python's."""

    def is_alive(self):
        raise AttributeError("_tstate_lock")


class Holders(unittest.TestCase):
    def test_what_cannot_be_told_to_have_ended_lives(self):
        clock = harness.Clock(self)
        script = harness.Script(mark=[{"ok": True, "token": t} for t in range(1, 99)])
        fake = harness.Fake(script)
        self.addCleanup(fake.close)
        client = harness.marked(self, fake, timeout=harness.PATIENT)
        for stranger in (OfGevent(), object(), None):
            o = client.own(1, run=2)
            client._link.adopt(o, stranger)
        harness.scans(client, clock)
        self.assertEqual(OK, o.check().state)
        self.assertEqual([], harness.cleared(script))


if __name__ == "__main__":
    unittest.main()
