"""A watchdog that is absent, hangs, talks nonsense, comes, goes and restarts: what it costs a caller."""

import itertools
import os
import shutil
import tempfile
import threading
import time
import unittest

import harness  # first: it says where the client is
import finalizer_liveness
from finalizer_liveness import OK, UNKNOWN, Client

BOUND = 0.05
SLACK = 0.45  # a busy machine's; what is waited for in vain would take 2 s and more


class Absence(unittest.TestCase):
    def calls(self, client, job, bound):
        """Mark, step, check and clear, each within the bound."""
        harness.calmly(lambda: self.calls_once(client, job, bound))

    def calls_once(self, client, job, bound):
        o = []
        harness.faster(harness.spent(lambda: o.append(client.own(job, run=1))), bound)
        harness.faster(harness.spent(lambda: o[0].step("merge", 10)), bound)
        harness.faster(harness.spent(lambda: self.assertEqual(UNKNOWN, o[0].check().state)), bound)
        harness.faster(harness.spent(lambda: client.is_owned(job)), bound)
        harness.faster(harness.spent(o[0].clear), bound)

    def client(self, path):
        client = Client(path)
        self.addCleanup(client.close)
        return client

    def folder(self):
        folder = tempfile.mkdtemp(prefix="wd")
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def test_absent(self):
        path = os.path.join(self.folder(), "s")

        def first():
            client, owned = self.client(path), []
            harness.faster(harness.spent(lambda: owned.append(client.own(0, run=1))), BOUND + SLACK)
            return client, owned[0]

        def usual():
            spans = sorted(harness.spent(lambda: client.own(2, run=1).clear()) for _ in range(50))
            harness.faster(spans[10], 0.005, "nothing is waited for")

        client, keeper = harness.calmly(first)
        time.sleep(0.5)  # by now it is looked for more rarely than a call may take
        harness.calmly(lambda: harness.faster(harness.spent(keeper.check), BOUND * 0.4, "it is not waited for in vain"))
        self.calls(client, 1, BOUND)
        harness.calmly(usual)
        keeper.clear()

    def test_a_path_that_is_none(self):
        for path in ("/" + "x" * 200, "\0"):
            self.calls(self.client(path), 1, BOUND + SLACK)

    def test_accepts_and_never_answers(self):
        fake = harness.Fake(harness.hang)
        self.addCleanup(fake.close)

        def first():
            client = self.client(fake.socket)
            took = harness.spent(lambda: client.own(0, run=1))
            self.assertGreater(took, BOUND * 0.9, "it might have answered")
            harness.faster(took, BOUND + SLACK)
            return client

        def usual():
            spans = sorted(harness.spent(lambda: self.calls_once(client, 1, BOUND + SLACK)) for _ in range(20))
            harness.faster(spans[5], 0.03, "only the first call waited")

        client = harness.calmly(first)
        harness.calmly(usual)

    def test_neither_accepts_nor_answers(self):
        fake = harness.Fake(harness.hang)
        fake.listener.close()
        path = os.path.join(self.folder(), "s")
        listener = harness.socket.socket(harness.socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen(0)
        fillers = []
        for _ in range(3):
            filler = harness.socket.socket(harness.socket.AF_UNIX)
            self.addCleanup(filler.close)
            filler.setblocking(False)
            fillers.append(filler.connect_ex(path))
        self.calls(self.client(path), 1, BOUND + SLACK)

    def test_falls_silent_after_the_mark(self):
        def first():
            fake = harness.Fake(harness.Script(check=[{"ok": True, "hold_s": 30}, None]))
            self.addCleanup(fake.close)
            o, answer = self.client(fake.socket).own(1, run=1), []
            harness.until(lambda: o.granted)
            harness.faster(harness.spent(lambda: answer.append(o.check())), BOUND + SLACK)
            self.assertEqual((UNKNOWN, False), (answer[0].state, answer[0].proceed), "it was granted once")
            return o

        o = harness.calmly(first)
        harness.calmly(lambda: harness.faster(min(harness.spent(o.check) for _ in range(5)), 0.005))
        patient = harness.spent(lambda: o.check(timeout=0.2))
        self.assertGreater(patient, 0.19)

    def test_nonsense(self):
        greeting = b'{"ok":true,"id":1,"lease_s":3,"beat_s":1}\n'
        for said in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\n", b"null\n", b"[]\n", b"{}\n", b'{"ok":"yes"}\n', b"\xff\xfe\n", b"[" * 60000 + b"\n",
                     b"x" * 200000, b'{"ok":true,"id":7}\n', b'{"ok":true,"id":1}\n', b'{"ok":true,"id":1,"lease_s":"x"}\n',
                     b'{"ok":true,"id":1,"lease_s":NaN}\n', b'{"ok":false,"id":1,"error":"overloaded"}\n',
                     greeting + b'{"ok":true,"id":2}\n', greeting + b'{"ok":true,"id":2,"token":-1}\n',
                     greeting + b'{"ok":true,"id":2,"token":"42"}\n', greeting + b'{"ok":true,"id":2,"token":42}\n{"ok":true}\n',
                     greeting + b'{"event":"revoked","token":[]}\n', greeting + greeting):
            with self.subTest(said=said[:60]):
                def talk(lines, out, said=said):
                    lines.readline()
                    out.write(said)

                fake = harness.Fake(talk)
                client = Client(fake.socket)
                self.calls(client, 1, BOUND + SLACK)
                self.assertTrue(client._link._thread.is_alive())
                client.close()
                fake.close()

    def test_is_asked_again_ever_more_rarely(self):
        fake = harness.Fake(lambda lines, out: out.write(b"nonsense\n"))
        self.addCleanup(fake.close)
        self.client(fake.socket).own(1, run=1)
        time.sleep(1)
        self.assertLess(fake.connections, 12)
        harness.until(lambda: fake.connections >= 3)
        for failures in range(100):
            most = 0.005 if failures == 0 else min(5, 0.025 * 2 ** failures)
            wait = finalizer_liveness._backoff(failures, 5)
            self.assertTrue((failures and most / 2) <= wait <= most, "%d: %g" % (failures, wait))

    def test_comes_later(self):
        path = os.path.join(self.folder(), "s")
        client = self.client(path)
        o = client.own(1, run=1)
        self.assertTrue(o.check())
        fake = harness.Fake(harness.Script())
        self.addCleanup(fake.close)
        os.symlink(fake.socket, path)
        harness.until(lambda: o.granted)
        self.assertEqual(OK, o.check(timeout=harness.PATIENT).state)

    def test_a_lost_session_is_resumed_under_its_token(self):
        scripts = []

        def talk(lines, out):
            script = harness.Script(mark=[{"ok": True, "token": 42}])
            scripts.append(script)
            script(itertools.islice(lines, 3) if len(scripts) == 1 else lines, out)

        fake = harness.Fake(talk)
        self.addCleanup(fake.close)
        client = self.client(fake.socket)
        o = client.own(1, run=2, key="k", stage="deploy-staging")
        o.step("merge", 60)
        harness.until(lambda: len(scripts) == 2 and scripts[1].asked("step"))
        resumed = scripts[1].asked("mark")[0]
        self.assertEqual((42, "1", "2", "k", "deploy-staging"), tuple(resumed[k] for k in ("token", "job", "run", "key", "stage")))
        self.assertLess(scripts[1].asked("step")[0]["budget_s"], 60)
        self.assertEqual(OK, o.check(timeout=harness.PATIENT).state)

    def test_a_watchdog_that_lost_its_memory_is_marked_afresh(self):
        scripts = []

        def talk(lines, out):
            answers = [{"ok": True, "token": 42}] if not scripts else [{"ok": False, "error": "bad-request", "field": "token"},
                                                                       {"ok": True, "token": 7}]
            scripts.append(harness.Script(mark=answers))
            scripts[-1](itertools.islice(lines, 3) if len(scripts) == 1 else lines, out)

        fake = harness.Fake(talk)
        self.addCleanup(fake.close)
        o = self.client(fake.socket).own(1, run=2)
        harness.until(lambda: len(scripts) == 2 and len(scripts[1].asked("mark")) == 2)
        self.assertNotIn("token", scripts[1].asked("mark")[1])
        harness.until(lambda: o.check())
        self.assertEqual(7, scripts[1].asked("check")[-1]["token"])

    def test_a_check_on_the_way_is_asked_again(self):
        scripts = []

        def talk(lines, out):
            scripts.append(harness.Script(check=[None] if not scripts else [{"ok": True, "hold_s": 30}]))
            scripts[-1](itertools.islice(lines, 4) if len(scripts) == 1 else lines, out)

        fake = harness.Fake(talk)
        self.addCleanup(fake.close)
        o = self.client(fake.socket).own(1, run=2)
        self.assertEqual(OK, o.check(timeout=harness.PATIENT).state)

    def test_many_threads_at_once(self):
        fake = harness.Fake(harness.Script(mark=[{"ok": True, "token": t} for t in range(1, 2000)]))
        self.addCleanup(fake.close)
        client = harness.marked(self, fake, timeout=harness.PATIENT)
        wrong = []

        def finalize(job):
            for _ in range(20):
                with client.own(job, run=1) as o:
                    if not (o.granted and o.check().state == OK):
                        wrong.append(o.reason)

        threads = [threading.Thread(target=finalize, args=(job,)) for job in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([], wrong)
        book = client._link.talk.book
        self.assertEqual((set(), {}, {}, {}), (book.owned, book.jobs, book.holders, book.tokens))


if __name__ == "__main__":
    unittest.main()
