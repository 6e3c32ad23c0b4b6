"""The orchestrator beside the built watchdog, and what happens to a job when either is killed or stopped.

$ORCHESTRATOR_DATABASE may name an empty PostgreSQL database to run on; by default it is a SQLite file.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "clients" / "python" / "tests")]

import harness  # noqa: E402
from stages import Tree  # noqa: E402
from store import Store  # noqa: E402

GRACE = 3.0  # seconds, in every watchdog of these tests

# An orchestrator whose clock is stepped by so many seconds once a file is there.
STEPPED = """
import datetime, os, sys
import store
def now():
    step = float(sys.argv[1]) if os.path.exists(sys.argv[2]) else 0
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=step)).isoformat()
store.now = now
sys.argv[1:3] = []
import orchestrator
orchestrator.main()
"""


class Orchestrator:
    """orchestrator.py run as a process, and what it told."""

    def __init__(self, world, *, before=(), **options):
        arguments = ["--database", world.url, "--socket", world.watchdog.socket, "--tree", world.tree, "--agent", "0.2"]
        for name, value in options.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        program = ["-c", STEPPED, *before] if before else [str(HERE / "orchestrator.py")]
        with open(os.path.join(world.folder, "stderr"), "a") as errors:
            self.process = subprocess.Popen([sys.executable, *program, *arguments, "run"], cwd=HERE, text=True,
                                            stdout=subprocess.PIPE, stderr=errors)
        self.told = []
        world.told.append(self.told)
        self.lines = threading.Thread(target=self.read, daemon=True)
        self.lines.start()

    def read(self):
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    def seen(self, event, within=15.0):
        return harness.until(lambda: [t for t in self.told if t["event"] == event], within, event + " was not told")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.lines.join()
        self.process.stdout.close()


class World(unittest.TestCase):
    def begin(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="wd")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.tree = os.path.join(self.folder, "tree")
        self.told = []  # by each orchestrator
        self.url = os.environ.get("ORCHESTRATOR_DATABASE") or "sqlite:" + os.path.join(self.folder, "db")
        self.store = Store(self.url)
        if not self.url.startswith("sqlite:"):
            with self.store._transaction() as execute:
                execute("DROP TABLE IF EXISTS agent_runs, jobs, tasks")
        self.store.create()
        self.watchdog = harness.Watchdog(WATCHDOG_DATABASE_URL=self.url, WATCHDOG_REAPER_FINALIZE_GRACE="%gs" % GRACE, **settings)
        self.addCleanup(self.watchdog.close)

    def orchestrator(self, **options):
        o = Orchestrator(self, **options)
        self.addCleanup(lambda: o.process.stdout.closed or o.kill())
        return o

    def job(self):
        """The one job: its status, its attempt, its task's stage and how many runs it had."""
        with self.store._transaction() as execute:
            return tuple(execute("SELECT j.status, j.attempt, t.stage, (SELECT count(*) FROM agent_runs) FROM jobs j, tasks t")[0])

    def becomes(self, wanted, within=15.0):
        try:
            harness.until(lambda: self.job() == wanted, within)
        except AssertionError:
            self.assertEqual(wanted, self.job(), "\n%s\n%s" % (self.told, self.watchdog.logged()))

    def merged(self):
        return Tree(self.tree, 0, 0).merged()

    def test_the_incident_with_the_switch_off(self):
        self.begin(WATCHDOG_REAPER_FINALIZER_LIVENESS_ENABLED="false")
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=0.1, merge=GRACE + 3, on_unknown="proceed")
        self.becomes(("failed", 2, "development", 2))
        o.seen("left alone")
        self.assertEqual({"ORCH-111": 1}, self.merged(), "rolled back by the one finalizer, merged by the other")

    def test_the_incident_with_the_switch_on(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        self.orchestrator(retest=0.1, merge=GRACE + 3)
        self.becomes(("done", 1, "deploy", 1))
        self.assertEqual({"ORCH-111": 1}, self.merged())

    def test_the_orchestrator_is_killed_in_the_middle(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=60)
        o.seen("finalizing")
        time.sleep(0.3)
        o.kill()
        began = time.monotonic()
        self.becomes(("queued", 1, "deploy-staging", 1))
        self.assertLess(time.monotonic() - began, GRACE / 2, "at once, not after the grace")
        again = self.orchestrator(retest=0.1, merge=0.1)
        self.becomes(("done", 2, "deploy", 2))
        self.assertTrue(again.seen("claimed")[0]["finished"], "the agent's work was not done again")
        self.assertEqual({"ORCH-111": 1}, self.merged())

    def test_the_orchestrator_is_killed_in_the_middle_of_its_merge(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=0.1, merge=60)
        o.seen("merging")
        o.kill()
        self.orchestrator(retest=0.1, merge=0.1)
        self.becomes(("done", 2, "deploy", 2))
        self.assertEqual({"ORCH-111": 1}, self.merged())

    def test_the_watchdog_is_killed_in_the_middle(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=GRACE + 4, merge=0.1)
        o.seen("finalizing")
        time.sleep(0.3)
        self.watchdog.kill()
        time.sleep(1)
        self.watchdog.start()
        self.becomes(("done", 1, "deploy", 1))
        self.assertEqual({"ORCH-111": 1}, self.merged())

    def test_the_watchdog_is_stopped_and_goes_on(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=GRACE + 4, merge=0.1)
        o.seen("finalizing")
        self.watchdog.process.send_signal(signal.SIGSTOP)
        time.sleep(GRACE + 1)
        self.watchdog.process.send_signal(signal.SIGCONT)
        self.becomes(("done", 1, "deploy", 1))

    def test_the_orchestrator_is_stopped_and_goes_on(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=1, merge=0.1)
        o.seen("finalizing")
        o.process.send_signal(signal.SIGSTOP)
        time.sleep(GRACE + 2)
        self.assertEqual(("running", 1, "deploy-staging", 1), self.job(), "it is stalled, and left alone")
        o.process.send_signal(signal.SIGCONT)
        self.becomes(("done", 1, "deploy", 1))

    def test_both_are_killed(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=60)
        o.seen("finalizing")
        self.watchdog.kill()
        o.kill()
        self.watchdog.start()
        self.becomes(("queued", 1, "deploy-staging", 1))
        self.orchestrator(retest=0.1, merge=0.1)
        self.becomes(("done", 2, "deploy", 2))

    def test_both_are_killed_and_the_orchestrator_is_back_first(self):
        self.begin(WATCHDOG_CHECK_HOLD="100ms")  # so that no hold of the first is left, which would keep the second away
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=60)
        o.seen("finalizing")
        self.watchdog.kill()
        o.kill()
        again = self.orchestrator(retest=GRACE + 2, merge=0.1)
        self.assertEqual(1, again.seen("started")[0]["requeued"])
        self.watchdog.start()
        self.becomes(("done", 2, "deploy", 2))

    def test_a_finalizer_ends_by_an_exception(self):
        self.begin(WATCHDOG_REAPER_MAX_ATTEMPTS="2")
        self.store.submit("BROKEN-1", "deploy-staging")
        o = self.orchestrator(retest=0.1, merge=0.1)
        self.becomes(("failed", 2, "deploy-staging", 2))
        self.assertEqual((None, {}), (o.process.poll(), self.merged()), "the process lives on")

    def stepped(self, step, finishing):
        """Finalize while the clock that stamps the rows is stepped: before the run finishes, or after."""
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        flag = os.path.join(self.folder, "stepped")
        o = self.orchestrator(before=[str(step), flag], retest=GRACE + 2, merge=0.1)
        o.seen("claimed" if finishing else "finalizing")
        pathlib.Path(flag).touch()
        self.becomes(("done", 1, "deploy", 1))

    def test_the_clock_steps_an_hour_ahead_before_the_run_finishes(self):
        self.stepped(3600, True)

    def test_the_clock_steps_an_hour_back_before_the_run_finishes(self):
        self.stepped(-3600, True)

    def test_the_clock_steps_an_hour_back_while_it_finalizes(self):
        self.stepped(-3600, False)

    def test_the_clock_is_an_hour_behind_and_the_orchestrator_is_killed(self):
        self.begin(WATCHDOG_REAPER_CEILING="2h")
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(before=["-3600", "/"], retest=60)
        o.seen("finalizing")
        time.sleep(GRACE)
        self.assertEqual(("running", 1, "deploy-staging", 1), self.job())
        o.kill()
        self.becomes(("queued", 1, "deploy-staging", 1))


if __name__ == "__main__":
    unittest.main()
