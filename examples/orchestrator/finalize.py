"""The finalization of one job: what the watchdog is there for."""

import time
from typing import Callable

from finalizer_liveness import Client, Ownership

from stages import NEXT, Tree
from store import Claim, Store


class Finalizer:
    """Finalizes in the thread that calls it, for as long as it takes."""

    def __init__(self, store: Store, tree: Tree, liveness: Client, tell: Callable[..., None]) -> None:
        self._store, self._tree, self._liveness, self._tell = store, tree, liveness, tell

    def finalize(self, claim: Claim) -> None:
        """Finalize as soon as nobody else does: a hold outlives a finalizer that was killed inside it."""
        while not self._try(claim):
            time.sleep(1)

    def _try(self, claim: Claim) -> bool:
        """Pass the gates, merge, move the task, close the job: the run's row was committed before. It is false when
        another has the job."""
        with self._liveness.own(claim.job, run=claim.run, stage=claim.stage, task=claim.ref) as o:
            self._tell("finalizing", claim)
            if o.revoked.is_set():
                self._tell("left alone", claim, reason=o.reason)
                return o.reason != "owned"
            for gate in self._tree.gates(claim.stage):
                o.step(gate.name, budget=gate.budget)
                if not gate.passes():
                    self._close(o, claim, "development", "failed", gate.name)
                    return True
            if claim.ref.startswith("BROKEN"):
                raise RuntimeError("a bug in the finalizer")
            # A merge cannot be undone, and nobody else must see its middle: ask, and do it within the hold.
            if not o.check(hold=30, timeout=2):
                self._tell("left alone", claim, reason=o.reason)
                return o.reason != "owned"
            o.step("merge", budget=60)
            self._tell("merging", claim)
            self._tree.merge(claim.ref)
            self._close(o, claim, NEXT.get(claim.stage, claim.stage), "done", "")
            return True

    def _close(self, o: Ownership, claim: Claim, stage: str, status: str, why: str) -> None:
        """Move the task, which cannot be undone either."""
        if not o.check(timeout=2):
            self._tell("left alone", claim, reason=o.reason)
            return
        closed = self._store.close(claim, stage, status)
        self._tell("closed" if closed else "lost", claim, stage=stage, status=status, why=why)
