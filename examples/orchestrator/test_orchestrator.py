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


HELD = """
import pathlib, runpy, time
import stages

def retest(tree):
    while not (pathlib.Path(tree._folder) / "tested").exists():
        time.sleep(0.05)
    return True

stages.Tree.retest = retest
runpy.run_path("orchestrator.py", run_name="__main__")
"""


class Orchestrator:
    """orchestrator.py run as a process, and what it told. A re-test that is held lasts until World.end_retest."""

    def __init__(self, world, held=False, **options):
        arguments = ["--database", world.url, "--socket", world.watchdog.socket, "--tree", world.tree]
        for name, value in dict({"agent": 0.2}, **options).items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        program = ["-c", HELD] if held else [str(HERE / "orchestrator.py")]
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

    def seen(self, event):
        return harness.until(lambda: [t for t in self.told if t["event"] == event], what=event + " was not told")

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
        self.addCleanup(self.tell)

    def tell(self):
        """Print what happened to each job: as the database has it, as the tree has it, and as the processes told it."""
        with self.store._transaction() as execute:
            jobs = execute("SELECT j.id, t.ref, j.status, j.attempt, t.stage FROM jobs j JOIN tasks t ON t.id = j.task_id ORDER BY j.id")
        print("\n%s\n| job | status | attempts | stage | merges | told by the orchestrators | reaped |\n%s" %
              (self._testMethodName.replace("_", " "), "| --- " * 7 + "|"))
        for job, ref, status, attempt, stage in jobs:
            told = " / ".join(", ".join(t["event"] for t in told if t.get("job") == job) for told in self.told)
            print("| %d | %s | %d | %s | %d | %s | %s |" % (job, status, attempt, stage, self.merged().get(ref, 0), told,
                                                          ", ".join(self.watchdog.reaps(job)) or "-"))

    def orchestrator(self, **options):
        o = Orchestrator(self, **options)
        self.addCleanup(lambda: o.process.stdout.closed or o.kill())
        return o

    def end_retest(self):
        pathlib.Path(self.tree, "tested").touch()

    def job(self):
        """The one job: its status, its attempt, its task's stage and how many runs it had."""
        with self.store._transaction() as execute:
            return tuple(execute("SELECT j.status, j.attempt, t.stage, (SELECT count(*) FROM agent_runs) FROM jobs j, tasks t")[0])

    def owned(self, o):
        """Wait until an orchestrator finalizes and the watchdog knows it."""
        o.seen("finalizing")
        harness.until(lambda: self.watchdog.ask(op="status")["owned"])

    def by_proof(self, job):
        """See to it that a job was reaped for its owner's death, which is at once, and not for its age."""
        harness.until(lambda: self.watchdog.reaps(job))
        self.assertEqual(["owner-died"], self.watchdog.reaps(job))

    def statuses(self):
        with self.store._transaction() as execute:
            return [row[0] for row in execute("SELECT status FROM jobs ORDER BY id")]

    def becomes(self, wanted):
        try:
            harness.until(lambda: self.job() == wanted)
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
        self.owned(o)
        o.kill()
        self.becomes(("queued", 1, "deploy-staging", 1))
        self.by_proof(1)
        again = self.orchestrator(retest=0.1, merge=0.1)
        self.becomes(("done", 2, "deploy", 2))
        self.assertTrue(again.seen("claimed")[0]["finished"], "the agent's work was not done again")
        self.assertEqual({"ORCH-111": 1}, self.merged())

    def test_an_orchestrator_with_several_jobs_is_killed(self):
        """One job finalizes, the agent of another works, and a third has just been merged."""
        self.begin()
        for ref, stage in (("ORCH-1", "review"), ("ORCH-2", "deploy-staging")):
            self.store.submit(ref, stage)
        o = self.orchestrator(retest=60, merge=0.1, agent=1)
        harness.until(lambda: self.statuses()[0] == "done")
        self.owned(o)
        self.store.submit("ORCH-3", "deploy-staging")
        harness.until(lambda: self.statuses()[2] == "running")
        o.kill()
        harness.until(lambda: self.statuses()[1] == "queued")
        self.by_proof(2)
        self.assertEqual(["done", "queued", "running"], self.statuses(), "an agent may still work; its orchestrator's start decides")
        self.orchestrator(retest=0.1, merge=0.1)
        harness.until(lambda: self.statuses() == ["done"] * 3)
        self.assertEqual({"ORCH-1": 1, "ORCH-2": 1, "ORCH-3": 1}, self.merged())

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
        o = self.orchestrator(held=True, merge=0.1)
        self.owned(o)
        self.watchdog.kill()
        time.sleep(1)
        self.watchdog.start()
        time.sleep(GRACE + 1)
        self.end_retest()
        self.becomes(("done", 1, "deploy", 1))
        self.assertEqual(({"ORCH-111": 1}, []), (self.merged(), self.watchdog.reaps(1)))

    def test_the_watchdog_is_stopped_and_goes_on(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(held=True, merge=0.1)
        self.owned(o)
        self.watchdog.process.send_signal(signal.SIGSTOP)
        time.sleep(GRACE + 1)
        self.watchdog.process.send_signal(signal.SIGCONT)
        self.owned(o)  # it answers again
        self.end_retest()
        self.becomes(("done", 1, "deploy", 1))

    def test_the_orchestrator_is_stopped_and_goes_on(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(held=True, merge=0.1)
        self.owned(o)
        with self.store._transaction():  # so that it does not stop within one of its own, which would lock the database
            o.process.send_signal(signal.SIGSTOP)
            os.waitpid(o.process.pid, os.WUNTRACED)
        time.sleep(GRACE + 2)
        self.assertEqual(("running", 1, "deploy-staging", 1), self.job(), "it is stalled, and left alone")
        self.end_retest()
        o.process.send_signal(signal.SIGCONT)
        self.becomes(("done", 1, "deploy", 1))

    def test_both_are_killed(self):
        self.begin()
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=60)
        self.owned(o)
        self.watchdog.kill()
        o.kill()
        self.watchdog.start()
        self.becomes(("queued", 1, "deploy-staging", 1))
        self.orchestrator(retest=0.1, merge=0.1)
        self.becomes(("done", 2, "deploy", 2))

    def test_both_are_killed_and_the_orchestrator_is_back_first(self):
        self.begin(WATCHDOG_CHECK_HOLD="500ms")  # so that no hold of the first is left, which would keep the second away
        self.store.submit("ORCH-111", "deploy-staging")
        o = self.orchestrator(retest=60)
        self.owned(o)
        self.watchdog.kill()
        o.kill()
        again = self.orchestrator(held=True, merge=0.1)
        self.assertEqual(1, again.seen("started")[0]["requeued"])
        self.watchdog.start()
        time.sleep(GRACE + 1)
        self.end_retest()
        self.becomes(("done", 2, "deploy", 2))

    def test_a_finalizer_ends_by_an_exception(self):
        self.begin(WATCHDOG_REAPER_MAX_ATTEMPTS="2")
        self.store.submit("BROKEN-1", "deploy-staging")
        o = self.orchestrator(retest=0.1, merge=0.1)
        self.becomes(("failed", 2, "deploy-staging", 2))
        self.assertEqual((None, {}), (o.process.poll(), self.merged()), "the process lives on")


if __name__ == "__main__":
    unittest.main()
