"""The client beside the built watchdog: resumed tokens, proven deaths, stopped processes."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import unittest

import harness
from finalizer_liveness import OK, REVOKED, UNKNOWN


def leave_alone(case, watchdog, owned, neglected):
    """Wait until the watchdog has reaped a job that nobody owns, and require that it left another alone."""
    watchdog.database.age(owned)
    watchdog.database.job(neglected)
    watchdog.database.age(neglected)
    harness.until(lambda: watchdog.database.status(neglected) == "queued")
    case.assertEqual("running", watchdog.database.status(owned))


class WithWatchdog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.watchdog = harness.Watchdog()
        cls.addClassCleanup(cls.watchdog.close)
        cls.jobs = iter(range(1, 1000))

    def job(self, **row):
        job = next(self.jobs)
        self.watchdog.database.job(job, **row)
        return job

    def client(self):
        return harness.marked(self, self.watchdog, timeout=harness.PATIENT)

    def test_a_second_finalizer_is_told(self):
        job = self.job()
        first, second = self.client(), self.client()
        with first.own(job, run=job):
            o = second.own(job, run=job)
            self.assertTrue(o.revoked.is_set())
            self.assertEqual(("owned", socket.gethostname()), (o.reason, o.owner))

    def test_a_job_that_is_not_open_is_taken_back(self):
        job = self.job(status="queued")
        o = self.client().own(job, run=job)
        self.assertTrue(o.revoked.wait(harness.PATIENT))
        self.assertEqual(("closed", REVOKED), (o.reason, o.check().state))

    def test_a_process_that_was_killed_is_recovered_at_once(self):
        program = """
            import finalizer_liveness as f
            client = f.Client(timeout=60)
            job = input()
            print(client.mark(job, run=job).granted, flush=True)
            input()
        """
        env = dict(os.environ, PYTHONPATH=str(harness.ROOT / "clients" / "python"), WATCHDOG_SOCKET=self.watchdog.socket)
        finalizer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], env=env, text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with finalizer:
            job = self.job()
            print(job, file=finalizer.stdin, flush=True)
            self.assertEqual("True\n", finalizer.stdout.readline())
            finalizer.kill()
            harness.until(lambda: self.watchdog.reaps(job))
        self.assertEqual(["owner-died"], self.watchdog.reaps(job), "not for its age: after the grace")


class WithAShortGrace(unittest.TestCase):
    """It begins anew with a clear. The run finishes once it is owned: the machine may be too busy to mark within it."""

    def setUp(self):
        self.watchdog = harness.Watchdog(WATCHDOG_REAPER_FINALIZE_GRACE="2s")
        self.addCleanup(self.watchdog.close)
        self.watchdog.database.job(1, finished=False)
        self.client = harness.marked(self, self.watchdog, timeout=harness.PATIENT)

    def test_what_is_owned_is_left_alone_and_then_recovered(self):
        with self.client.own(1, run=1, stage="deploy-staging") as o:
            self.assertTrue(o.granted)
            harness.until(lambda: o.check().state == OK)
            self.watchdog.database.finish(1)
            leave_alone(self, self.watchdog, 1, 2)
            harness.until(lambda: self.client.is_owned(1))
        harness.until(lambda: self.watchdog.reaps(1))
        self.assertEqual(["unfinalized"], self.watchdog.reaps(1))

    def test_a_thread_that_ended_is_recovered_after_the_grace(self):
        owned = []
        thread = threading.Thread(target=lambda: owned.append(self.client.mark(1, run=1)))
        thread.start()
        thread.join()
        self.assertTrue(owned[0].granted)
        self.watchdog.database.finish(1)
        harness.until(lambda: self.watchdog.reaps(1))
        self.assertEqual(["unfinalized"], self.watchdog.reaps(1), "the process lives: nothing is proven")
        self.assertFalse(self.client.is_owned(1))


class WithOneOfItsOwn(unittest.TestCase):
    def setUp(self):
        self.watchdog = harness.Watchdog()
        self.addCleanup(self.watchdog.close)
        self.watchdog.database.job(1)
        self.client = harness.marked(self, self.watchdog)

    def test_a_restart_is_survived_under_the_same_token(self):
        with self.client.own(1, run=1) as o:
            harness.until(lambda: o.granted)
            token = o._token
            self.watchdog.kill()
            self.assertEqual((UNKNOWN, False), (o.check().state, o.check().proceed))
            self.watchdog.start()
            harness.until(lambda: o.check().state == OK)
            self.assertEqual(token, o._token)
            leave_alone(self, self.watchdog, 1, 2)

    def test_a_stopped_watchdog_costs_one_wait(self):
        def measure():
            harness.until(lambda: o.check().state == OK)
            os.kill(self.watchdog.process.pid, signal.SIGSTOP)
            os.waitpid(self.watchdog.process.pid, os.WUNTRACED)  # it stops a while after it was told to
            try:
                first = harness.spent(o.check)
                later = min(harness.spent(o.check) for _ in range(5))
                harness.until(lambda: not self.client.is_owned(1), what="the lease did not lapse by this machine's clock")
                self.assertEqual(UNKNOWN, o.check().state)
            finally:
                os.kill(self.watchdog.process.pid, signal.SIGCONT)
            harness.faster(first, 0.25)
            harness.faster(later, 0.04)

        with self.client.own(1, run=1) as o:
            harness.calmly(measure)
            harness.until(lambda: o.check().state == OK)
            self.assertFalse(o.revoked.is_set())


if __name__ == "__main__":
    unittest.main()
