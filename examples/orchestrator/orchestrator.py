"""A small orchestrator: it claims jobs, runs an agent for each, and finalizes what the agents have done.

    orchestrator.py --database sqlite:orchestrator.db create
    orchestrator.py --database sqlite:orchestrator.db submit ORCH-111
    orchestrator.py --database sqlite:orchestrator.db --socket /run/watchdog/heartbeat.sock run

Each job has a monitor thread: it waits for the agent, stamps exit_code and finished_at, and then finalizes. What
happens is written to standard output, one JSON object a line.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import threading
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))

from finalizer_liveness import Client  # noqa: E402

from finalize import Finalizer  # noqa: E402
from stages import Tree  # noqa: E402
from store import Claim, Store  # noqa: E402


def tell(event: str, claim: Any = None, **more: Any) -> None:
    about = {"job": claim.job, "run": claim.run, "attempt": claim.attempt} if claim else {}
    print(json.dumps(dict(about, event=event, **more)), flush=True)


class Orchestrator:
    """Runs until its process ends. What it leaves behind is taken up by the next, or handed back by the watchdog."""

    def __init__(self, store: Store, finalizer: Finalizer, agent: float) -> None:
        self._store, self._finalizer, self._agent = store, finalizer, agent

    def run(self) -> None:
        tell("started", requeued=self._store.requeue_running_jobs())
        while True:
            claim = self._store.claim()
            if claim is None:
                time.sleep(0.05)
                continue
            tell("claimed", claim, stage=claim.stage, finished=claim.exit_code is not None)
            threading.Thread(target=self._monitor, args=(claim,), daemon=True).start()

    def _monitor(self, claim: Claim) -> None:
        """Run the agent, unless its work was done under an earlier claim, and finalize."""
        exit_code = claim.exit_code
        if exit_code is None:
            agent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(%f)" % self._agent])
            self._store.began(claim.run, agent.pid)
            exit_code = agent.wait()
            self._store.stamp(claim.run, exit_code)
            tell("stamped", claim, exit_code=exit_code)
        if exit_code == 0:
            self._finalizer.finalize(claim)
        else:
            self._store.close(claim, "development", "failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", required=True, help="sqlite:PATH or postgres://…")
    parser.add_argument("--socket", help="the watchdog's")
    parser.add_argument("--tree", default="tree", help="the folder that tasks are merged into")
    parser.add_argument("--agent", type=float, default=1, help="seconds that an agent works")
    parser.add_argument("--retest", type=float, default=5, help="seconds that a re-test takes")
    parser.add_argument("--merge", type=float, default=2, help="seconds that a merge takes")
    parser.add_argument("--on-unknown", choices=("stop", "proceed"), default="stop")
    parser.add_argument("command", choices=("create", "submit", "run"))
    parser.add_argument("ref", nargs="?", default="ORCH-111")
    parser.add_argument("stage", nargs="?", default="deploy-staging")
    args = parser.parse_args()

    store = Store(args.database)
    if args.command == "create":
        store.create()
    elif args.command == "submit":
        print(store.submit(args.ref, args.stage))
    else:
        tree = Tree(args.tree, args.retest, args.merge)
        finalizer = Finalizer(store, tree, Client(args.socket, name="orchestrator", on_unknown=args.on_unknown), tell)
        Orchestrator(store, finalizer, args.agent).run()


if __name__ == "__main__":
    main()
