"""The orchestrator's tables, in SQLite or PostgreSQL.

Each method is one transaction. Instants are stamped by this host's clock, as ISO-8601 text in UTC, which both
databases read.
"""

import contextlib
import datetime
import pathlib
import sqlite3
from typing import Any, Iterator, List, NamedTuple, Optional

SETS = pathlib.Path(__file__).resolve().parents[2] / "sql" / "sets" / "orchestrator"


class Claim(NamedTuple):
    """A job that was claimed, with the run that was begun for it."""

    job: int
    run: int
    ref: str
    stage: str
    attempt: int
    exit_code: Optional[int]
    """Of the agent, whose work was done under an earlier claim; None: it has to run."""


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


class Store:
    """The database of a URL: sqlite:PATH, or postgres://… where psycopg2 is installed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sqlite = url.startswith("sqlite:")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Give a function that executes a statement with ? for each value, and commit at the end."""
        if self._sqlite:
            db: Any = sqlite3.connect(self._url[len("sqlite:"):], timeout=10, isolation_level=None)
            db.execute("BEGIN IMMEDIATE")
        else:
            import psycopg2  # type: ignore[import]

            db = psycopg2.connect(self._url)
        try:
            cursor = db.cursor()

            def execute(statement: str, *values: Any) -> List[Any]:
                cursor.execute(statement if self._sqlite else statement.replace("?", "%s"), values)
                return list(cursor.fetchall()) if cursor.description else []

            yield execute
            db.commit()
        except BaseException:
            db.rollback()
            raise
        finally:
            db.close()

    def create(self) -> None:
        """Make the tables."""
        dialect = "sqlite" if self._sqlite else "postgres"
        statements = (SETS / dialect / "schema.sql").read_text() + (SETS / dialect / "indexes.sql").read_text()
        lines = [line for line in statements.splitlines() if not line.lstrip().startswith("--")]
        if self._sqlite:
            with contextlib.closing(sqlite3.connect(self._url[len("sqlite:"):])) as db:
                db.execute("PRAGMA journal_mode=wal")
        with self._transaction() as execute:
            for statement in filter(str.strip, "\n".join(lines).split(";")):
                execute(statement)

    def submit(self, ref: str, stage: str) -> int:
        """Add a task in a stage, and a job for it; return the job."""
        with self._transaction() as execute:
            ids = execute("SELECT coalesce(max(id), 0) + 1 FROM tasks"), execute("SELECT coalesce(max(id), 0) + 1 FROM jobs")
            task, job = ids[0][0][0], ids[1][0][0]
            execute("INSERT INTO tasks (id, ref, title, stage, updated_at) VALUES (?, ?, ?, ?, ?)", task, ref, ref, stage, now())
            execute("INSERT INTO jobs (id, task_id, status, attempt, created_at) VALUES (?, ?, 'queued', 0, ?)", job, task, now())
            return int(job)

    def requeue_running_jobs(self) -> int:
        """Hand back what ran when the orchestrator ended: no thread of it is left. Return how many there were."""
        with self._transaction() as execute:
            running = execute("SELECT count(*) FROM jobs WHERE status = 'running'")[0][0]
            execute("UPDATE jobs SET status = 'queued', started_at = NULL WHERE status = 'running'")
            return int(running)

    def claim(self) -> Optional[Claim]:
        """Take the oldest queued job and begin a run for it, in one transaction: the watchdog counts only runs that
        began no earlier than their job. Where an agent has done its work the new run is finished from the start."""
        with self._transaction() as execute:
            locked = "" if self._sqlite else " FOR UPDATE OF j SKIP LOCKED"
            found = execute("SELECT j.id, j.attempt, t.ref, t.stage FROM jobs j JOIN tasks t ON t.id = j.task_id "
                            "WHERE j.status = 'queued' ORDER BY j.id LIMIT 1" + locked)
            if not found:
                return None
            job, attempt, ref, stage = found[0]
            done = execute("SELECT exit_code FROM agent_runs WHERE job_id = ? AND finished_at IS NOT NULL "
                           "AND exit_code = 0 ORDER BY id DESC LIMIT 1", job)
            exit_code = done[0][0] if done else None
            at = now()
            run = execute("SELECT coalesce(max(id), 0) + 1 FROM agent_runs")[0][0]
            execute("UPDATE jobs SET status = 'running', attempt = attempt + 1, started_at = ? WHERE id = ?", at, job)
            execute("INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) VALUES (?, ?, ?, ?, ?)",
                    run, job, exit_code, at, at if done else None)
            return Claim(job, run, ref, stage, attempt + 1, exit_code)

    def began(self, run: int, pid: int) -> None:
        """Note the agent's process."""
        with self._transaction() as execute:
            execute("UPDATE agent_runs SET pid = ? WHERE id = ?", pid, run)

    def stamp(self, run: int, exit_code: int) -> None:
        """Say that the agent has ended. From here on only the finalization is missing."""
        with self._transaction() as execute:
            execute("UPDATE agent_runs SET exit_code = ?, finished_at = ? WHERE id = ?", exit_code, now(), run)

    def close(self, claim: Claim, stage: str, status: str) -> bool:
        """Move the task and end the job, if it is still what was claimed. This is the fence at the resource itself:
        whatever happened since the last check, a job that was claimed again is not closed twice."""
        with self._transaction() as execute:
            at = now()
            closed = execute("UPDATE jobs SET status = ?, finished_at = ? WHERE id = ? AND status = 'running' AND attempt = ? "
                             "RETURNING task_id", status, at, claim.job, claim.attempt)
            for task in closed:
                execute("UPDATE tasks SET stage = ?, updated_at = ? WHERE id = ?", stage, at, task[0])
            return bool(closed)
