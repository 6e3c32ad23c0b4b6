"""What each call says and returns, against a watchdog whose every answer the test writes."""

import logging
import os
import threading
import time
import unittest
import unittest.mock

import harness  # first: it says where the client is
import finalizer_liveness
from finalizer_liveness import OK, REVOKED, UNKNOWN, Client


class Calls(unittest.TestCase):
    def served(self, **answers):
        script = harness.Script(**answers)
        fake = harness.Fake(script)
        self.addCleanup(fake.close)
        return script, harness.marked(self, fake, name="orchestrator-0", timeout=harness.PATIENT)

    def test_mark_says_what_is_owned(self):
        script, client = self.served()
        o = client.mark(1914, run=2207, stage="deploy-staging", task="ORCH-111", key="t-7")
        self.assertTrue(o.granted)
        self.assertEqual(("", False), (o.reason, o.revoked.is_set()))
        self.assertEqual("orchestrator-0", script.asked("hello")[0]["name"])
        mark = dict(script.asked("mark")[0])
        mark.pop("id")
        self.assertEqual({"op": "mark", "job": "1914", "run": "2207", "key": "t-7", "task": "ORCH-111",
                          "stage": "deploy-staging", "role": "finalizer"}, mark)

    def test_two_marks_of_two_threads_are_rivals(self):
        script, client = self.served()
        threads = [threading.Thread(target=client.mark, args=(1,), kwargs={"run": 2}) for _ in range(2)]
        for t in threads:
            t.start()
            t.join()
        harness.until(lambda: len(script.asked("mark")) == 2)
        self.assertNotEqual(*(m["key"] for m in script.asked("mark")))

    def test_a_thread_marks_a_run_once(self):
        script, client = self.served()
        first = client.mark(1, run=2)
        self.assertIs(first, client.mark(1, run=2))
        client.clear(1)
        self.assertIsNot(first, client.mark(1, run=2))
        self.assertEqual(["mark", "clear", "mark"], [r["op"] for r in script.requests if r["op"] in ("mark", "clear")])

    def test_a_second_own_in_one_thread_is_a_rival(self):
        script, client = self.served(mark=[{"ok": True, "token": 42}, {"ok": False, "error": "owned", "owner": {"name": "b"}}])
        with client.own(1, run=2) as outer:
            with client.own(1, run=2) as inner:
                self.assertTrue(inner.revoked.is_set())
            self.assertFalse(outer.revoked.is_set())
            self.assertEqual([], script.asked("clear"))
        self.assertEqual(1, len(script.asked("clear")))

    def test_who_was_refused_clears_nothing_of_another(self):
        script, client = self.served(mark=[{"ok": True, "token": 42}, {"ok": False, "error": "owned"}])
        client.mark(1, run=2)

        def second():
            client.mark(1, run=2)
            client.clear(1)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        self.assertTrue(client.is_owned(1))
        self.assertEqual([], script.asked("clear"))

    def test_another_thread_may_clear(self):
        script, client = self.served()
        client.mark(1, run=2)
        thread = threading.Thread(target=client.clear, args=(1,))
        thread.start()
        thread.join()
        self.assertEqual([42], [r["token"] for r in script.asked("clear")])
        self.assertFalse(client.is_owned(1))

    def test_step_and_check_carry_their_spans(self):
        script, client = self.served()
        with client.own("a/b", run="r") as o:
            o.step("merge-gate re-test", budget=1800)
            answer = o.check(hold=7)
        self.assertTrue(answer)
        self.assertEqual(OK, answer.state)
        self.assertGreater(answer.remaining(), 20)
        self.assertLessEqual(answer.remaining(), 30)
        step = script.asked("step")[0]
        self.assertEqual("merge-gate re-test", step["step"])
        self.assertAlmostEqual(1800, step["budget_s"], delta=10)
        self.assertEqual(7, script.asked("check")[-1]["hold_s"])

    def test_a_hold_that_ran_out_on_the_way_is_none(self):
        _, client = self.served(check=[{"ok": True, "hold_s": 1e-9}])
        self.assertEqual(UNKNOWN, client.own(1, run=2).check().state)

    def test_who_was_refused_knows_it_when_mark_returns(self):
        """However long the client's thread takes after it has told the caller that the mark was answered."""
        tell = finalizer_liveness._Waiter.tell

        def slowly(waiter, answer=None):
            tell(waiter, answer)
            time.sleep(0.05)

        _, client = self.served(mark=[{"ok": False, "error": "owned", "owner": {"name": "b"}}])
        with unittest.mock.patch.object(finalizer_liveness._Waiter, "tell", slowly):
            o = client.mark(1, run=2)
            self.assertEqual((True, "owned", "b"), (o.revoked.is_set(), o.reason, o.owner))

    def test_an_event_revokes(self):
        event = {"event": "revoked", "job": "1", "token": 42, "reason": "backstop"}
        _, client = self.served(step=[[event, {"ok": False, "error": "revoked", "reason": "backstop"}]])
        with client.own(1, run=2) as o:
            self.assertFalse(o.revoked.is_set())
            o.step("merge")
            self.assertTrue(o.revoked.wait(harness.PATIENT))
            self.assertEqual("backstop", o.reason)
            self.assertEqual(REVOKED, o.check().state)
            self.assertFalse(client.is_owned(1))

    def test_an_event_before_its_mark_is_not_lost(self):
        event = {"event": "revoked", "job": "1", "token": 42, "reason": "closed"}
        script, client = self.served(mark=[[event, {"ok": True, "token": 42}]])
        o = client.mark(1, run=2)
        self.assertTrue(o.revoked.wait(harness.PATIENT))
        self.assertEqual("closed", o.reason)
        self.assertEqual([], script.asked("check"))

    def test_the_policy_decides_about_what_nobody_knows(self):
        away = [{"ok": False, "error": "unavailable", "message": "the database did not answer"}]
        for policy, proceed in (("stop", False), ("proceed", True)):
            fake = harness.Fake(harness.Script(check=list(away)))
            self.addCleanup(fake.close)
            answer = harness.marked(self, fake, on_unknown=policy, timeout=harness.PATIENT).own(1, run=2).check()
            self.assertEqual((UNKNOWN, proceed, proceed), (answer.state, answer.proceed, bool(answer)))
            self.assertEqual("unavailable: the database did not answer", answer.reason)
        client = Client("/nowhere/at/all", on_unknown="stop")
        self.addCleanup(client.close)
        self.assertTrue(client.own(1, run=2).check(), "there never was a watchdog")
        with self.assertRaises(ValueError):
            Client(on_unknown="explode")

    def test_a_mark_that_is_refused_for_now_is_asked_for_again(self):
        script, client = self.served(mark=[{"ok": False, "error": "unavailable"}, {"ok": True, "token": 43}])
        o = client.mark(1, run=2)
        self.assertEqual((False, "unavailable"), (o.granted, o.reason))
        harness.until(lambda: o.granted)
        self.assertEqual(OK, o.check().state)

    def test_is_owned_follows_the_lease_by_the_own_clock(self):
        clock = harness.Clock(self)
        _, client = self.served(hello=[{"ok": True, "lease_s": 15, "beat_s": 5}], beat=[None])
        with client.own(1, run=2):
            self.assertTrue(client.is_owned(1))
            self.assertTrue(client.is_owned("1"))
            self.assertFalse(client.is_owned(2))
            clock.skip(14.9)
            self.assertTrue(client.is_owned(1))
            clock.skip(0.2)
            self.assertFalse(client.is_owned(1))

    def test_one_connection_beats_for_all(self):
        script, client = self.served(mark=[{"ok": True, "token": t} for t in range(1, 300)],
                                     hello=[{"ok": True, "lease_s": 60, "beat_s": 0.1}])
        for job in range(200):
            client.own(job, run=1)
        self.assertEqual(1, len([t for t in harness.own_threads() if t is client._link._thread]))
        self.assertEqual(1, len(script.asked("hello")))
        began, before = time.monotonic(), len(script.asked("beat"))
        harness.until(lambda: len(script.asked("beat")) - before >= 4)
        beats = len(script.asked("beat")) - before
        self.assertLessEqual(beats, (time.monotonic() - began) / 0.1 + 2)

    def test_a_thread_that_ended_without_clearing_is_noticed(self):
        clock = harness.Clock(self)
        script, client = self.served(check=[{"ok": True, "hold_s": 30}])

        def finalize():
            client.mark(1, run=2)
            client.own(2, run=2).check()
            raise SystemExit  # as quiet as an exception that ends a thread can be

        thread = threading.Thread(target=finalize)
        client.mark(3, run=2)
        thread.start()
        thread.join()
        with self.assertLogs("finalizer_liveness", logging.WARNING) as logs:
            harness.scans(client, clock)
            self.assertEqual(["1"], harness.cleared(script), "a hold runs out first")
            clock.skip(30)
            harness.scans(client, clock)
        self.assertIn("ended without clearing", logs.output[0])
        self.assertEqual(["1", "2"], harness.cleared(script))
        self.assertTrue(client.is_owned(3), "this thread lives")

    def test_who_adopts_is_the_finalizer(self):
        clock = harness.Clock(self)
        script, client = self.served(mark=[{"ok": True, "token": t} for t in range(1, 99)])
        owned = []
        thread = threading.Thread(target=lambda: owned.append(client.mark(1, run=2)))
        thread.start()
        thread.join()
        client.own(2, run=2).clear()  # which has the client look around
        clock.skip(0.9)
        owned[0].adopt()
        harness.scans(client, clock)
        self.assertTrue(client.is_owned(1))
        client.clear(1)
        self.assertEqual(["2", "1"], harness.cleared(script))

    def test_what_no_request_can_name_is_not_marked(self):
        _, client = self.served()
        for job, run in (("", 1), (1, ""), ("x" * 129, 1), ("\ud800", 1), (1.5, 1), (True, 1), (None, 1), ("\0" * 128, "\0" * 128)):
            with self.assertLogs("finalizer_liveness", logging.WARNING):
                o = client.mark(job, run=run, task="\0" * 256, stage="\0" * 256)
            self.assertFalse(o.granted or o.revoked.is_set())
            self.assertTrue(o.check(), "there never was protection")
            o.step("merge")
            o.clear()
        client.mark("é" * 64, run="r", task="x" + "é" * 200, stage="a\ud800b").clear()

    def test_none_is_no_text(self):
        script, client = self.served(mark=[{"ok": True, "token": 42}, {"ok": True, "token": 43}])
        client.own(1, run=2, stage=None, task=None, key=None)
        client.own(1, run=2, key=None)
        first, second = script.asked("mark")
        self.assertEqual({"op", "id", "job", "run", "key", "role"}, set(first))
        self.assertNotEqual(first["key"], second["key"], "they are rivals")

    def test_settings_that_are_none(self):
        for options, named in (({"lease": "15"}, "lease"), ({"lease": -1}, "lease"), ({"lease": True}, "lease"),
                               ({"timeout": None}, "timeout"), ({"timeout": -1}, "timeout"),
                               ({"timeout": float("nan")}, "timeout"), ({"on_unknown": "wait"}, "on_unknown")):
            with self.subTest(options), self.assertRaisesRegex(ValueError, "%s is .*%s" % (named, list(options.values())[0])):
                Client("/nowhere", **options)
        client = Client("/nowhere", timeout=0)
        self.addCleanup(client.close)
        client.own(1, run=1).clear()

    def test_an_id_that_is_none_is_named(self):
        _, client = self.served()

        class Unprintable:
            def __repr__(self):
                raise ValueError

        for job, run, said in ((None, 2, "its job is None"), (1, 2.5, "its run is 2.5"), (Unprintable(), 2, "its job is <Unprintable")):
            with self.assertLogs("finalizer_liveness", logging.WARNING) as logs:
                client.mark(job, run=run)
            self.assertIn(said, logs.output[0])

    def test_texts_for_people_are_cut_to_whole_letters(self):
        script, client = self.served()
        with client.own(1, run=2, task="x" + "é" * 200, stage="a\ud800b") as o:
            o.step("y" * 300)
            o.check()
        mark = script.asked("mark")[0]
        self.assertEqual(("x" + "é" * 127, "ab"), (mark["task"], mark["stage"]))
        self.assertEqual("y" * 256, script.asked("step")[0]["step"])

    def test_close_leaves_nothing(self):
        before = len(os.listdir("/proc/self/fd"))
        script, client = self.served()
        fake_fds = len(os.listdir("/proc/self/fd")) - before
        o = client.mark(1, run=2)
        client.close()
        client.close()
        self.assertIsNone(client._link._thread)
        self.assertEqual((UNKNOWN, False), (o.check().state, o.revoked.is_set()))
        o.clear()
        with self.assertLogs("finalizer_liveness", logging.WARNING):
            client.mark(2, run=2)
        harness.until(lambda: len(os.listdir("/proc/self/fd")) <= before + fake_fds)

    def test_close_while_the_thread_is_being_started(self):
        client = Client("/nowhere")
        client._link._thread = threading.Thread()  # by another thread, which has not come to start it
        client.close()


if __name__ == "__main__":
    unittest.main()
