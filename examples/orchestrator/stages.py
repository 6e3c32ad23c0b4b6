"""The stages of a task, and the gates that lead from one to the next.

The code that is delivered is a folder: `main` lists what was merged, `MERGING` is there while a merge is half
done. A gate looks at it for a while and says whether the task may pass.
"""

import os
import pathlib
import time
from typing import Callable, Dict, List, NamedTuple

NEXT = {"development": "review", "review": "deploy-staging", "deploy-staging": "deploy"}


class Gate(NamedTuple):
    """One step of a finalization that only looks."""

    name: str
    budget: float
    """Seconds after which it is to be taken for stuck."""
    passes: Callable[[], bool]


class Tree:
    """The folder, and how many seconds things take in it."""

    def __init__(self, folder: str, retest: float, merge: float) -> None:
        self._folder = pathlib.Path(folder)
        self._retest, self._merge = retest, merge
        self._folder.mkdir(parents=True, exist_ok=True)

    def gates(self, stage: str) -> List[Gate]:
        """What has to be passed to leave a stage: heavy before a deployment, light elsewhere."""
        heavy = [Gate("merge-gate re-test", 60 * max(1, self._retest), self.retest), Gate("security scan", 60, self.scan)]
        return {"deploy-staging": heavy}.get(stage, [Gate("lint", 60, self.scan)])

    def retest(self) -> bool:
        """Test the code for a while. A half-merged tree does not build."""
        self._discard_what_the_dead_left()
        time.sleep(self._retest)
        return not self._half.exists()

    def scan(self) -> bool:
        return True

    def merge(self, ref: str) -> None:
        """Merge the task's work. It cannot be undone, and in its middle the tree is good for nobody."""
        self._half.write_text("%d %s" % (os.getpid(), ref))
        try:
            time.sleep(self._merge)
            with open(self._folder / "main", "a") as main:
                main.write(ref + "\n")
        finally:
            self._half.unlink(missing_ok=True)

    def merged(self) -> Dict[str, int]:
        """How often each task was merged."""
        try:
            refs = (self._folder / "main").read_text().split()
        except FileNotFoundError:
            refs = []
        return {ref: refs.count(ref) for ref in refs}

    @property
    def _half(self) -> pathlib.Path:
        return self._folder / "MERGING"

    def _discard_what_the_dead_left(self) -> None:
        """Undo the merge of a process that is no more, as `git merge --abort` would."""
        try:
            os.kill(int(self._half.read_text().split()[0]), 0)
        except ProcessLookupError:
            self._half.unlink(missing_ok=True)
        except (FileNotFoundError, IndexError, ValueError):
            pass
