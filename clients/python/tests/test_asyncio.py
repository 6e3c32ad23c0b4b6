"""The calls as coroutines: what they answer, and that they never hold the loop up."""

import asyncio
import time
import unittest

import harness
from finalizer_liveness import OK, REVOKED, UNKNOWN, AsyncClient, Client


class Asyncio(unittest.TestCase):
    def run_with(self, serve, work, timeout=harness.PATIENT):
        fake = harness.Fake(serve)
        self.addCleanup(fake.close)
        client = Client(fake.socket, timeout=timeout)
        self.addCleanup(client.close)
        return asyncio.run(asyncio.wait_for(work(AsyncClient(client)), 20), debug=True)

    def test_owns_and_checks(self):
        script = harness.Script()

        async def work(client):
            async with client.own(1914, run=2207, stage="deploy-staging") as o:
                self.assertEqual(("1914", "2207", True), (o.job, o.run, o.granted))
                o.step("merge", budget=60)
                self.assertEqual(OK, (await o.check()).state)
                self.assertTrue(client.is_owned(1914))
            self.assertFalse(client.is_owned(1914))
            await client.mark(1, run=2)
            await client.clear(1)

        self.run_with(script, work)
        self.assertEqual(["1914", "1"], [r["job"] for r in script.asked("clear")])

    def test_tasks_are_rivals(self):
        script = harness.Script(mark=[{"ok": True, "token": 42}, {"ok": False, "error": "owned"}])

        async def work(client):
            first = await client.mark(1, run=2)
            other = await asyncio.create_task(client.mark(1, run=2))
            return first.granted, first.revoked.is_set(), other.revoked.is_set()

        self.assertEqual((True, False, True), self.run_with(script, work))

    def test_an_event_revokes(self):
        event = {"event": "revoked", "token": 42, "reason": "backstop"}

        async def work(client):
            async with client.own(1, run=2) as o:
                o.step("merge")
                await asyncio.wait_for(o.revoked.wait(), 5)
                return (await o.check()).state, o.reason

        self.assertEqual((REVOKED, "backstop"), self.run_with(harness.Script(step=[[event, {"ok": True}]]), work))

    def test_never_holds_the_loop_up(self):
        async def work(client):
            worst, stop = 0.0, False

            async def pulse():
                nonlocal worst
                while not stop:
                    began = time.monotonic()
                    await asyncio.sleep(0.001)
                    worst = max(worst, time.monotonic() - began)

            pulsing = asyncio.create_task(pulse())
            began = time.monotonic()
            async with client.own(1, run=2) as o:
                answers = [await o.check(timeout=0.1) for _ in range(3)]
            took = time.monotonic() - began
            stop = True
            await pulsing
            return worst, took, {a.state for a in answers}

        worst, took, states = self.run_with(harness.hang, work, timeout=0.05)
        self.assertEqual({UNKNOWN}, states)
        self.assertGreater(took, 0.3)
        self.assertLess(worst, 0.05)

    def test_a_task_that_ended_without_clearing_is_noticed(self):
        script = harness.Script(mark=[{"ok": True, "token": 1}, {"ok": True, "token": 2}])

        async def work(client):
            with self.assertLogs("finalizer_liveness", "WARNING") as logs:
                kept = await asyncio.create_task(client.mark(2, run=2))
                kept.adopt()
                await asyncio.create_task(client.mark(1, run=2))
                while not logs.output or not script.asked("clear"):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(2.2)
            return [r["job"] for r in script.asked("clear")]

        self.assertEqual(["1"], self.run_with(script, work))

    def test_a_cancelled_mark_owns_nothing(self):
        async def work(client):
            marking = asyncio.create_task(client.mark(1, run=2))
            await asyncio.sleep(0.01)
            marking.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await marking
            while client._client._owned:
                await asyncio.sleep(0.01)

        self.run_with(harness.Script(mark=[None]), work)

    def test_a_loop_that_ends_first_is_no_trouble(self):
        script = harness.Script(check=[{"ok": True, "hold_s": 1}, None])
        fake = harness.Fake(script)
        self.addCleanup(fake.close)
        client = Client(fake.socket)
        self.addCleanup(client.close)

        async def work():
            o = await AsyncClient(client).mark(1, run=2)
            return (await o.check(timeout=0.05)).state

        self.assertEqual(UNKNOWN, asyncio.run(work()))
        with self.assertLogs("finalizer_liveness") as logs:
            client.close()
            client._note(20, "still here")
            client._tell_notes()
        self.assertNotIn("failed", "".join(logs.output))


if __name__ == "__main__":
    unittest.main()
