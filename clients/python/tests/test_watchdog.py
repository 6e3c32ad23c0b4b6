"""The client beside the built watchdog: resumed tokens, proven deaths, stopped processes."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import unittest

import harness
from finalizer_liveness import OK, REVOKED, UNKNOWN


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

    def test_what_is_owned_is_left_alone_and_then_recovered(self):
        job = self.job()
        client = self.client()
        with client.own(job, run=job, stage="deploy-staging") as o:
            self.assertTrue(o.granted)
            harness.until(lambda: o.check().state == OK)
            time.sleep(3.5)
            self.assertEqual(("running", True), (self.watchdog.database.status(job), client.is_owned(job)))
        harness.until(lambda: self.watchdog.database.status(job) == "queued", 8)

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
        self.assertTrue(o.revoked.wait(5))
        self.assertEqual(("closed", REVOKED), (o.reason, o.check().state))

    def test_a_process_that_was_killed_is_recovered_at_once(self):
        program = """
            import finalizer_liveness as f
            client = f.Client(timeout=10)
            print("ready", flush=True)
            job = input()
            print(client.mark(job, run=job).granted, flush=True)
            input()
        """
        env = dict(os.environ, PYTHONPATH=str(harness.ROOT / "clients" / "python"), WATCHDOG_SOCKET=self.watchdog.socket)
        finalizer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], env=env, text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with finalizer:
            self.assertEqual("ready\n", finalizer.stdout.readline())
            job = self.job()  # only now: it has no more than its grace to be marked
            print(job, file=finalizer.stdin, flush=True)
            self.assertEqual("True\n", finalizer.stdout.readline())
            finalizer.kill()
            harness.until(lambda: self.watchdog.reaps(job), 15)
        self.assertEqual(["owner-died"], self.watchdog.reaps(job), "not for its age: after the grace")

    def test_a_thread_that_ended_is_recovered_after_the_grace(self):
        job = self.job()
        client = self.client()
        thread = threading.Thread(target=client.mark, args=(job,), kwargs={"run": job})
        thread.start()
        thread.join()
        harness.until(lambda: not client.is_owned(job))
        self.assertEqual("running", self.watchdog.database.status(job))
        harness.until(lambda: self.watchdog.database.status(job) == "queued", 8)


class WithOneOfItsOwn(unittest.TestCase):
    def setUp(self):
        self.watchdog = harness.Watchdog()
        self.addCleanup(self.watchdog.close)
        self.watchdog.database.job(1)
        self.client = harness.marked(self, self.watchdog)

    def test_a_restart_is_survived_under_the_same_token(self):
        with self.client.own(1, run=1) as o:
            harness.until(lambda: o.granted, 15)
            token = o._token
            self.watchdog.kill()
            self.assertEqual((UNKNOWN, False), (o.check().state, o.check().proceed))
            self.watchdog.start()
            harness.until(lambda: o.check().state == OK)
            self.assertEqual(token, o._token)
            time.sleep(4)
            self.assertEqual("running", self.watchdog.database.status(1))

    def test_a_stopped_watchdog_costs_one_wait(self):
        with self.client.own(1, run=1) as o:
            harness.until(lambda: o.check().state == OK)
            os.kill(self.watchdog.process.pid, signal.SIGSTOP)
            os.waitpid(self.watchdog.process.pid, os.WUNTRACED)  # it stops a while after it was told to
            try:
                first = harness.spent(o.check)
                later = min(harness.spent(o.check) for _ in range(5))
                time.sleep(2)
                self.assertEqual(UNKNOWN, o.check().state)
                self.assertFalse(self.client.is_owned(1), "the lease lapsed by this machine's clock")
            finally:
                os.kill(self.watchdog.process.pid, signal.SIGCONT)
            self.assertLess(first, 0.25)
            self.assertLess(later, 0.04)
            harness.until(lambda: o.check().state == OK)
            self.assertFalse(o.revoked.is_set())


if __name__ == "__main__":
    unittest.main()
