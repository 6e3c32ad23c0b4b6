"""The calls as coroutines: what they answer, and that they never hold the loop up."""

import asyncio
import unittest

import harness
from finalizer_liveness import OK, REVOKED, UNKNOWN, AsyncClient, Client


class Asyncio(unittest.TestCase):
    def run_with(self, serve, work, timeout=harness.PATIENT):
        fake = harness.Fake(serve)
        self.addCleanup(fake.close)
        client = harness.marked(self, fake, timeout=timeout)
        return asyncio.run(asyncio.wait_for(work(AsyncClient(client)), 2 * harness.PATIENT), debug=True)

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

        async def rival(client):
            return await client.mark(1, run=2)

        async def work(client):
            first = await client.mark(1, run=2)
            other = await asyncio.create_task(rival(client))
            return first.granted, first.revoked.is_set(), other.revoked.is_set()

        self.assertEqual((True, False, True), self.run_with(script, work))

    def test_an_event_revokes(self):
        event = {"event": "revoked", "token": 42, "reason": "backstop"}

        async def work(client):
            async with client.own(1, run=2) as o:
                o.step("merge")
                await asyncio.wait_for(o.revoked.wait(), harness.PATIENT)
                return (await o.check()).state, o.reason

        self.assertEqual((REVOKED, "backstop"), self.run_with(harness.Script(step=[[event, {"ok": True}]]), work))

    def test_never_holds_the_loop_up(self):
        """The loop turns while a call waits for an answer: if it did not, the call would be over when it turns again."""
        async def turns(call):
            calling = asyncio.ensure_future(call)
            for _ in range(5):
                await asyncio.sleep(0.001)
            went_on = not calling.done()
            calling.cancel()
            await asyncio.wait({calling})
            return went_on

        async def marks(client):
            return await turns(client.mark(1, run=2))

        async def checks(client):
            o = await client.mark(1, run=2)
            return await turns(o.check())

        self.assertTrue(self.run_with(harness.Script(mark=[None]), marks))
        self.assertTrue(self.run_with(harness.Script(check=[{"ok": True, "hold_s": 1}, None]), checks))

    def test_a_task_that_ended_without_clearing_is_noticed(self):
        clock = harness.Clock(self)
        script = harness.Script(mark=[{"ok": True, "token": t} for t in range(1, 99)])

        async def finalize(client, job):
            return await client.mark(job, run=2)

        async def work(client):
            with self.assertLogs("finalizer_liveness", "WARNING") as logs:
                kept = await asyncio.create_task(finalize(client, 2))
                kept.adopt()
                await asyncio.create_task(finalize(client, 1))
                await self.scans(client, clock)
                while not logs.output:
                    await asyncio.sleep(0.01)

        self.run_with(script, work)
        self.assertEqual(["1"], harness.cleared(script))

    def test_a_cancelled_mark_owns_nothing(self):
        async def work(client):
            marking = asyncio.create_task(client.mark(1, run=2))
            await asyncio.sleep(0.01)
            marking.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await marking
            while client._client._link.talk.book.owned:
                await asyncio.sleep(0.01)

        self.run_with(harness.Script(mark=[None]), work)

    def test_who_calls_mark_is_the_finalizer_whoever_awaits_it(self):
        """wait_for, before Python 3.12, and gather run what they are given in tasks of their own, which end at once."""
        clock = harness.Clock(self)
        script = harness.Script(mark=[{"ok": True, "token": t} for t in range(1, 99)])

        async def work(client):
            await asyncio.wait_for(client.mark(1, run=2), harness.PATIENT)
            await asyncio.gather(client.mark(2, run=2), client.mark(3, run=2))
            await asyncio.wait_for(client.own(4, run=2).__aenter__(), harness.PATIENT)
            await self.scans(client, clock)
            owned = [client.is_owned(job) for job in (1, 2, 3, 4)]
            await asyncio.gather(*(client.clear(job) for job in (1, 2, 3)))
            return owned

        self.assertEqual([True] * 4, self.run_with(script, work))
        self.assertEqual({"1", "2", "3"}, set(harness.cleared(script)))

    async def scans(self, client, clock):
        """As those of the harness, which the loop must not wait for."""
        await asyncio.get_running_loop().run_in_executor(None, harness.scans, client._client, clock)

    def test_marks_of_what_is_owned_are_one(self):
        async def work(client):
            first = await client.mark(1, run=2)
            same = all([await client.mark(1, run=2) is first for _ in range(10)])
            await asyncio.sleep(0.1)
            return same, len(first._o._on_revoked)

        self.assertEqual((True, 1), self.run_with(harness.Script(), work))

    def test_cancelled_at_the_end_of_its_block_is_cleared(self):
        script = harness.Script(clear=[None])

        async def work(client):
            async def finalize():
                async with client.own(1, run=2):
                    entered.set()
                    await asyncio.sleep(60)

            entered = asyncio.Event()
            finalizing = asyncio.create_task(finalize())
            await entered.wait()
            finalizing.cancel()  # in its middle
            while not script.asked("clear"):
                await asyncio.sleep(0.01)
            finalizing.cancel()  # while the clear waits for its reply
            with self.assertRaises(asyncio.CancelledError):
                await finalizing

        self.run_with(script, work)
        self.assertEqual(1, len(script.asked("clear")))

    def test_the_lock_of_another_thread_does_not_hold_the_loop_up(self):
        script = harness.Script()

        async def work(client):
            first = await client.mark(1, run=2)
            link = client._client._link
            with link:
                marking = [asyncio.create_task(client.mark(2, run=2)), asyncio.create_task(first.check())]
                first.step("merge")
                client.is_owned(1)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            link.bell.ring()
            second, answer = await asyncio.gather(*marking)
            with link:
                clearing = asyncio.create_task(second.clear())
                await asyncio.sleep(0)
            link.bell.ring()
            await clearing
            self.assertFalse(client.is_owned(2))
            return second.granted, answer.state

        granted = []
        took = harness.spent(lambda: granted.extend(self.run_with(script, work)))
        self.assertLess(took, harness.PATIENT, "so long another thread would be waited for")
        self.assertEqual([True, OK], granted)

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
            client._link.talk.note(20, "still here")
            client._link.talk.tell_notes()
        self.assertNotIn("failed", "".join(logs.output))


if __name__ == "__main__":
    unittest.main()
