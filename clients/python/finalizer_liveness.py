"""Tell the finalizer watchdog which jobs this process finalizes.

    from finalizer_liveness import own

    with own(job_id, run=run_id, stage="deploy-staging") as o:
        o.step("merge-gate re-test", budget=1800)
        retest()
        if not o.check():  # before each step that cannot be undone
            return
        merge()

What a caller can rely on:

* No call raises because of the watchdog, and none takes longer than `timeout` (50 ms) unless it asks for
  more. While the watchdog is known to be away or silent a call waits for nothing.
* One daemon thread and one connection serve a process, however many jobs it owns. They begin with the
  first mark.
* After a fork the child owns nothing and, if it marks, starts a thread and a connection of its own. What the
  parent owns stays the parent's.
* The thread (or asyncio task) that marked is the finalizer. When it ends without a clear, its ownership is
  given up a second later, or once its hold has run out. Who goes on with the job in another thread calls
  `adopt` there.
* Mark a run only after the transaction that made its row has committed: the watchdog compares the two.

The state of the client is guarded by one lock that is never held while anything waits. Callers put their
requests on the wire themselves; the thread reads the replies, beats and connects.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import errno
import functools
import json
import logging
import os
import random
import select
import socket as sockets
import threading
import time
import uuid
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Deque, Dict, List, Optional, Set, Tuple, TypeVar, Union, cast

__all__ = ["Answer", "AsyncClient", "AsyncOwnership", "Client", "OK", "Ownership", "REVOKED", "UNKNOWN", "clear",
           "default_client", "is_owned", "mark", "own"]
__version__ = "1.0.0"

OK = "ok"
"""The caller owns the job, and nobody takes it while the hold runs."""
REVOKED = "revoked"
"""The job is another's by now; the caller must not go on."""
UNKNOWN = "unknown"
"""Nobody could say: `Answer.proceed` is then the caller's policy."""

Id = Union[int, str]
"""What names a job or a run: an integer or a string of at most 128 bytes."""

DEFAULT_SOCKET = "/run/watchdog/heartbeat.sock"

_MAX_ID = 128
_MAX_TEXT = 256
_MAX_LINE = 4096
_MAX_REPLY = 64 << 10
_MAX_SPAN = 1e9
_OUT_FULL = 64 << 10  # bytes that wait for the socket before no more requests are made
_HELLO_WITHIN = 2.0
_SCAN_EVERY = 1.0  # how often ended threads are looked for, while something is owned
_ADOPT_WITHIN = 1.0  # how long after a thread's end another may still adopt what it owned
_MAX_AGAIN = 5.0  # at least so often an absent watchdog is looked for, whatever its lease was
_TAIL_WAIT = 1.0  # how long close waits for its thread

_log = logging.getLogger("finalizer_liveness")
_log.addHandler(logging.NullHandler())

_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def _boottime() -> float:
    """Seconds since the machine started, suspension included; no one can set that clock."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


_Result = TypeVar("_Result")


def _harmless(otherwise: Callable[..., Any]) -> Callable[[Callable[..., _Result]], Callable[..., _Result]]:
    """Make a method give otherwise(self) where it would raise: a bug in here must not stop a finalizer."""

    def decorate(method: Callable[..., _Result]) -> Callable[..., _Result]:
        @functools.wraps(method)
        def call(self: Any, *args: Any, **kwargs: Any) -> _Result:
            try:
                return method(self, *args, **kwargs)
            except Exception:
                _log.exception("%s failed", method.__name__)
                return cast(_Result, otherwise(self))

        return call

    return decorate


@dataclass(frozen=True)
class Answer:
    """What a check found. It is true when the caller should go on."""

    state: str
    """OK, REVOKED or UNKNOWN."""
    reason: str = ""
    """Why it was revoked, or why nobody knows; empty when OK."""
    proceed: bool = False
    """Whether to go on, by the policy `on_unknown`."""
    until: float = 0.0
    """The end of the hold, in seconds of CLOCK_BOOTTIME; 0: there is none."""

    def __bool__(self) -> bool:
        return self.proceed

    def remaining(self) -> float:
        """Seconds for which the job will not be reaped from its owner, counted from when the check was sent."""
        return max(0.0, self.until - _boottime()) if self.until else 0.0


class _Waiter:
    """An answer that somebody waits for: a thread in wait, or an event loop through then."""

    __slots__ = ("_told", "answer", "hold", "left", "_then")

    def __init__(self, hold: Optional[float] = None) -> None:
        self._told = threading.Event()
        self.answer: Optional[Answer] = None
        self.hold = hold
        self.left = False  # nobody waits any more
        self._then: Optional[Callable[[], None]] = None

    @property
    def told(self) -> bool:
        return self._told.is_set()

    def tell(self, answer: Optional[Answer] = None) -> None:
        if self._told.is_set():
            return
        self.answer = answer
        self._told.set()
        if self._then is not None:
            self._then()

    def wait(self, limit: float) -> None:
        self._told.wait(limit)

    def then(self, call: Callable[[], None]) -> None:
        """Have call called when told, from any thread. The caller holds the client's lock."""
        self._then = call
        if self.told:
            call()


# What an ownership is at the watchdog, as far as this session knows.
_IDLE = "idle"  # to be marked or resumed
_MARKING = "marking"  # asked for
_HELD = "held"  # granted
_PAUSED = "paused"  # refused for now: asked for again at the next beat
_INERT = "inert"  # refused for good, for no fault of another: it does nothing
_OVER = "over"  # revoked, owned by another, or cleared


class Ownership:
    """One job that this process finalizes, from mark to clear. Its methods may be called from any thread."""

    def __init__(self, client: "Client", job: str, run: str, fields: Dict[str, str], holder: Any) -> None:
        self.job = job
        self.run = run
        self.revoked = threading.Event()
        """Set when the job is known to be another's: also when the mark was refused for that."""
        self.owner = ""
        """The name of the session that has the job, where `reason` is "owned" and it has one."""
        self._client = client
        self._pid = os.getpid()
        self._fields = fields
        self._holder = holder
        self._phase = _IDLE
        self._token = 0
        self._granted = False
        self._clearing = False
        self._queued = False
        self._why = ""
        self._step = ""
        self._step_until = 0.0
        self._step_new = False
        self._hold_until = 0.0
        self._checks: List[_Waiter] = []
        self._settled = _Waiter()
        self._gone = _Waiter()
        self._on_revoked: List[Callable[[], None]] = []

    @property
    def granted(self) -> bool:
        """Whether the watchdog granted the ownership at some time. Until then it protects nothing."""
        return self._granted

    @property
    def reason(self) -> str:
        """Why it was revoked, refused or is not granted yet; empty while all is well. "owned": another finalizer
        has the job, or its hold is still running. Who waits may mark again."""
        return self._why

    def step(self, name: str, budget: Optional[float] = None) -> None:
        """Tell what is being done, and after how many seconds it is to be taken for stuck. Waits for nothing."""
        self._client._step(self, name, budget)

    def check(self, hold: Optional[float] = None, timeout: Optional[float] = None) -> Answer:
        """Ask whether the caller still owns the job, and for the promise that it will for a while.

        hold: how many seconds to ask for, at most the watchdog's setting, which is the default.
        timeout: how many seconds to wait, instead of the client's; then also for a watchdog that is silent now.
        """
        return self._client._check(self, hold, timeout)

    def clear(self) -> None:
        """Say that the owner is done with the job, finalized or not. Only the first clear does anything."""
        self._client._clear(self)

    def adopt(self) -> None:
        """Make the calling thread the finalizer: the end of the one before means nothing any more."""
        self._client._adopt(self, threading.current_thread())

    def __enter__(self) -> "Ownership":
        return self

    def __exit__(self, *exc: object) -> None:
        self.clear()


@dataclass
class _Request:
    """One that waits for its reply."""

    id: int
    op: str
    sent: float
    of: Optional[Ownership] = None
    waiter: Optional[_Waiter] = None


class _Session:
    """One connection. All of it is guarded by the client's lock, but that only the thread reads from it."""

    def __init__(self, sock: sockets.socket, now: float) -> None:
        self.sock = sock
        self.out = bytearray()
        self.inn = bytearray()
        self.asked: Deque[_Request] = collections.deque()
        self.last_id = 0
        self.marks = 0  # asked for and not answered
        self.early: Dict[int, str] = {}  # revoked before the reply that gives their token; why
        self.greeted = False
        self.began = now
        self.lease = 15.0
        self.beat = 5.0
        self.lease_until = 0.0
        self.next_beat = now
        self.beating = False
        self.ended = ""  # why, once something is wrong with it


class _Nonsense(Exception):
    """The other end does not speak the protocol."""


class Client:
    """Speaks to one watchdog. Its methods may be called from any thread, and after a fork.

    socket: the watchdog's socket; default $WATCHDOG_SOCKET, or else /run/watchdog/heartbeat.sock.
    name: of this process, for people; default the host's, which in Kubernetes is the pod's.
    lease: how many seconds the watchdog should bear silence, at least 1; default and most: its setting.
    timeout: how many seconds one call may take.
    on_unknown: what a check makes of not knowing. "stop": do not go on where the watchdog once granted the
        ownership. "proceed": go on, as without a watchdog. Where it never granted it a check always goes on.
    """

    def __init__(self, socket: Optional[str] = None, *, name: str = "", lease: Optional[float] = None,
                 timeout: float = 0.05, on_unknown: str = "stop") -> None:
        if on_unknown not in ("stop", "proceed"):
            raise ValueError('on_unknown is "stop" or "proceed"')
        self._socket = socket or os.environ.get("WATCHDOG_SOCKET") or DEFAULT_SOCKET
        self._name = _cut(name or sockets.gethostname())
        self._lease = lease
        self._timeout = max(0.0, timeout)
        self._on_unknown = on_unknown
        self._begin()
        _clients.add(self)

    def _begin(self) -> None:
        """Set the state of a client of this process that has not spoken yet."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._quit = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._wake: Optional[Tuple[sockets.socket, sockets.socket]] = None
        self._roused = False
        self._closed = False
        self._away = False  # waiting for the watchdog is known to be in vain
        self._silent = False  # a call waited in vain, and nothing was heard since
        self._heard = 0.0
        self._session: Optional[_Session] = None
        self._cadence = _MAX_AGAIN
        self._owned: Set[Ownership] = set()
        self._jobs: Dict[str, Set[Ownership]] = {}
        self._holders: Dict[int, Tuple[Any, Set[Ownership]]] = {}
        self._ended: Dict[int, float] = {}  # holders that were seen to have ended, and when
        self._tokens: Dict[int, Ownership] = {}
        self._marked: Dict[Tuple[str, int], Ownership] = {}  # by mark, for clear(job) to find
        self._refused: Dict[Tuple[str, int], Ownership] = {}  # whose clear(job) has nothing to clear
        self._failed_at = 0.0
        self._unsent: Deque[Ownership] = collections.deque()
        self._paused: List[Ownership] = []
        self._notes: List[Tuple[int, str]] = []  # to be logged where no lock is held

    # The calls of a finalizer.

    def mark(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
             role: str = "finalizer") -> Ownership:
        """Say that the calling thread finalizes the job from now on, until clear.

        It never raises. If another finalizer has the job, or it was taken from this run, `revoked` of the
        result is set: the caller must not finalize. A thread that marks the same job and run again gets the
        same ownership. key: two marks of one run with one key are the same owner; default: a new one.
        role: "finalizer", or "worker" for the process that runs the agent.
        """
        o, wait = self._begin_mark(job, run, stage, task, key, role, threading.current_thread(), True)
        self._await_mark(o, wait)
        return o

    def own(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
            role: str = "finalizer") -> Ownership:
        """Mark as mark does, for a with statement: its end clears. Two at once of one job are rivals."""
        o, wait = self._begin_mark(job, run, stage, task, key, role, threading.current_thread(), False)
        self._await_mark(o, wait)
        return o

    @_harmless(lambda self: None)
    def clear(self, job: Id) -> None:
        """Clear what the calling thread marked of the job or, if that is nothing, what other threads did."""
        for o in self._marked_of(job, threading.current_thread()):
            o.clear()

    @_harmless(lambda self: False)
    def is_owned(self, job: Id) -> bool:
        """Whether this process owns the job as far as it knows, without asking: granted, not revoked, and the
        lease has not lapsed by this machine's clock. Before a step that must be done alone, check."""
        self._same_process()
        if not self._lock.acquire(timeout=self._timeout):
            return False
        try:
            s = self._session
            alive = s is not None and s.greeted and _boottime() < s.lease_until
            return alive and any(o._phase == _HELD and not o._clearing for o in self._jobs.get(str(job), ()))
        finally:
            self._lock.release()

    def close(self) -> None:
        """Hang up and end the thread. What is owned is not cleared: its owner has fallen silent."""
        if self._pid != os.getpid():
            return
        with self._lock:
            self._closed = True
            self._give_up("the client is closed")
            thread = self._thread
            self._rouse()
        self._quit.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_TAIL_WAIT)

    # How they work.

    def _begin_mark(self, job: Id, run: Id, stage: str, task: str, key: str, role: str, holder: Any,
                    shared: bool) -> Tuple[Ownership, bool]:
        """Have a mark sent, and say whether its answer is worth waiting for."""
        o = _inert(self, "the client failed")
        try:
            self._same_process()
            fields = {"key": str(key) or uuid.uuid4().hex, "task": _cut(task), "stage": _cut(stage), "role": _cut(role)}
            o = Ownership(self, _id(job), _id(run), fields, holder)
            _fit(o)
            return self._enlist(o, shared)
        except Exception as why:
            o._phase, o._why = _INERT, str(why)
            _log.warning("job %.200r cannot be marked: %s", job, why)
            return o, False

    def _enlist(self, o: Ownership, shared: bool) -> Tuple[Ownership, bool]:
        name = (o.job, id(o._holder))
        if not self._lock.acquire(timeout=self._timeout):
            raise RuntimeError("the client is busy")
        try:
            before = self._marked.get(name)
            if shared and before is not None and before.run == o.run and before._phase not in (_OVER, _INERT):
                return before, not before._settled.told and not self._away and not self._silent
            if self._closed:
                raise RuntimeError("the client is closed")
            self._start()
            if not self._owned and self._session is None and _boottime() - self._failed_at > self._cadence:
                self._away, self._silent = False, False  # nobody has tried since
            if shared:
                self._marked[name] = o
                self._refused.pop(name, None)
            self._owned.add(o)
            self._jobs.setdefault(o.job, set()).add(o)
            self._holders.setdefault(id(o._holder), (o._holder, set()))[1].add(o)
            self._send(o)
            if len(self._owned) == 1:
                self._rouse()
            return o, not self._away and not self._silent
        finally:
            self._lock.release()

    def _await_mark(self, o: Ownership, wait: bool) -> None:
        if not wait:
            return
        try:
            self._await(o._settled, self._timeout)
        except BaseException:  # KeyboardInterrupt: the caller never gets the ownership
            o.clear()
            raise

    @_harmless(lambda self: Answer(UNKNOWN, "the client failed"))
    def _check(self, o: Ownership, hold: Optional[float], timeout: Optional[float]) -> Answer:
        waiter, answer = self._begin_check(o, hold, timeout is not None)
        if waiter is None:
            return answer
        self._await(waiter, self._timeout if timeout is None else max(0.0, timeout))
        return self._end_check(o, waiter)

    def _begin_check(self, o: Ownership, hold: Optional[float], patient: bool) -> Tuple[Optional[_Waiter], Answer]:
        """Have a check sent, or give what is known without one. Patient callers wait for a silent watchdog."""
        if o._pid != os.getpid():
            return None, self._unknown(o, "it was marked before this process was forked")
        self._same_process()
        if not self._lock.acquire(timeout=self._timeout):
            return None, self._unknown(o, "the client is busy")
        try:
            known = self._known(o, patient)
            if known is not None:
                return None, known
            waiter = _Waiter(hold)
            o._checks.append(waiter)
            self._send(o)
            return waiter, self._unknown(o, "")
        finally:
            self._lock.release()

    def _end_check(self, o: Ownership, waiter: _Waiter) -> Answer:
        if waiter.answer is not None:
            return waiter.answer
        waiter.left = True
        return self._unknown(o, "the watchdog did not answer in time")

    @_harmless(lambda self: None)
    def _step(self, o: Ownership, name: str, budget: Optional[float]) -> None:
        if o._pid != os.getpid() or not _cut(name) or not self._lock.acquire(timeout=self._timeout):
            return
        try:
            o._step, o._step_until, o._step_new = _cut(name), 0.0, True
            if budget is not None and 0 < budget <= _MAX_SPAN:
                o._step_until = _boottime() + budget
            if o._phase == _HELD:
                self._send(o)
        finally:
            self._lock.release()

    @_harmless(lambda self: None)
    def _clear(self, o: Ownership) -> None:
        if self._begin_clear(o):
            self._await(o._gone, self._timeout)

    def _begin_clear(self, o: Ownership) -> bool:
        """Have a clear sent, and say whether there is something to wait for: a process may end right after."""
        if o._pid != os.getpid() or not self._lock.acquire(timeout=self._timeout):
            return False
        try:
            if self._marked.get((o.job, id(o._holder))) is o:
                del self._marked[(o.job, id(o._holder))]
            return self._clear_locked(o) and not self._silent
        finally:
            self._lock.release()

    def _clear_locked(self, o: Ownership) -> bool:
        if o._clearing or o._phase in (_OVER, _INERT):
            return False
        o._clearing = True
        self._answer_all(o, Answer(REVOKED, "cleared"))
        if self._session is None or o._phase not in (_MARKING, _HELD):
            self._drop(o, "cleared")
            return False
        self._send(o)
        return True

    @_harmless(lambda self: None)
    def _adopt(self, o: Ownership, holder: Any) -> None:
        if o._pid != os.getpid() or not self._lock.acquire(timeout=self._timeout):
            return
        try:
            if o not in self._owned:
                return
            marked = self._marked.pop((o.job, id(o._holder)), None)
            self._leave(o)
            o._holder = holder
            self._holders.setdefault(id(holder), (holder, set()))[1].add(o)
            if marked is not None:
                self._marked[(marked.job, id(marked._holder))] = marked
        finally:
            self._lock.release()

    def _marked_of(self, job: Id, holder: Any) -> List[Ownership]:
        self._same_process()
        if not self._lock.acquire(timeout=self._timeout):
            return []
        try:
            if self._refused.pop((str(job), id(holder)), None) is not None:
                return []
            mine = self._marked.get((str(job), id(holder)))
            if mine is not None:
                return [mine]
            return [o for o in self._jobs.get(str(job), ()) if self._marked.get((o.job, id(o._holder))) is o]
        finally:
            self._lock.release()

    def _await(self, waiter: _Waiter, limit: float) -> None:
        """Wait, and if it was in vain spare the next caller the same: until the watchdog is heard of again."""
        began = _boottime()
        waiter.wait(limit)
        self._waited(waiter, began)

    def _waited(self, waiter: _Waiter, began: float) -> None:
        if not waiter.told and self._heard < began and self._lock.acquire(timeout=self._timeout):
            self._silent = self._silent or self._heard < began
            self._lock.release()

    def _unknown(self, o: Ownership, why: str) -> Answer:
        return Answer(UNKNOWN, why, proceed=not o._granted or self._on_unknown == "proceed")

    # From here on the caller holds the lock, unless it is said otherwise.

    def _known(self, o: Ownership, patient: bool) -> Optional[Answer]:
        """What can be answered without asking."""
        if o._clearing:
            return Answer(REVOKED, "cleared")
        if o._phase == _OVER:
            return Answer(REVOKED, o._why)
        if o._phase in (_INERT, _PAUSED):
            return self._unknown(o, o._why)
        if self._closed:
            return self._unknown(o, "the client is closed")
        if self._away and self._session is None:
            return self._unknown(o, "the watchdog is away")
        if self._silent and not patient:
            return self._unknown(o, "the watchdog does not answer")
        return None

    def _send(self, o: Ownership) -> None:
        """See to it that what the ownership has to say is said."""
        s = self._session
        if s is None or not s.greeted:
            return  # a new session looks at all
        if not o._queued:
            o._queued = True
            self._unsent.append(o)
        self._pump(s)
        self._flush(s)
        if s.out or s.ended:
            self._rouse()

    def _rouse(self) -> None:
        if self._wake is None or self._roused:
            return
        self._roused = True
        try:
            self._wake[1].send(b"x")
        except OSError:
            pass  # it is full, or closed: either way the thread wakes

    def _start(self) -> None:
        if self._thread is not None:
            return
        wake = sockets.socketpair()
        for end in wake:
            end.setblocking(False)
        thread = threading.Thread(target=self._run, args=(wake[0],), name="finalizer-liveness", daemon=True)
        self._wake, self._thread = wake, thread
        try:
            thread.start()
        except BaseException:
            self._wake, self._thread = None, None
            for end in wake:
                end.close()
            raise

    def _leave(self, o: Ownership) -> None:
        entry = self._holders.get(id(o._holder))
        if entry is not None:
            entry[1].discard(o)
            if not entry[1]:
                del self._holders[id(o._holder)]
                self._ended.pop(id(o._holder), None)

    def _forget(self, o: Ownership) -> None:
        """Take the ownership from all that is kept of it."""
        self._owned.discard(o)
        self._leave(o)
        of_job = self._jobs.get(o.job)
        if of_job is not None:
            of_job.discard(o)
            if not of_job:
                del self._jobs[o.job]
        if self._tokens.get(o._token) is o:
            del self._tokens[o._token]
        if self._marked.get((o.job, id(o._holder))) is o:
            del self._marked[(o.job, id(o._holder))]

    def _drop(self, o: Ownership, why: str) -> None:
        """End an ownership of which nothing is left to send."""
        self._forget(o)
        o._phase, o._why = _OVER, why
        o._settled.tell()
        o._gone.tell()

    def _take(self, o: Ownership, why: str) -> None:
        """End an ownership that is another's by now, and tell everyone who waits."""
        if o._phase == _OVER:
            return
        name = (o.job, id(o._holder))
        if self._marked.get(name) is o:
            self._refused[name] = o
        self._drop(o, why)
        if o._clearing:
            return
        self._answer_all(o, Answer(REVOKED, why))
        o.revoked.set()
        for call in o._on_revoked:
            call()
        self._note(logging.WARNING, "job %s was revoked from this process: %s" % (o.job, why))

    def _refuse(self, o: Ownership, why: str) -> None:
        """Take in that the mark was refused for good, for no fault of another."""
        self._forget(o)
        o._phase, o._why = _INERT, why
        self._answer_all(o, self._unknown(o, why))
        o._settled.tell()
        o._gone.tell()
        self._note(logging.WARNING, "the watchdog refused to mark job %s: %s" % (o.job, why))

    def _answer_all(self, o: Ownership, a: Answer) -> None:
        waiting, o._checks = o._checks, []
        for waiter in waiting:
            waiter.tell(a)

    def _give_up(self, why: str) -> None:
        """Answer everyone who waits for a watchdog that does not come."""
        self._away = True
        for o in self._owned:
            o._settled.tell()
            self._answer_all(o, self._unknown(o, why))

    def _note(self, level: int, text: str) -> None:
        self._notes.append((level, text))
        self._rouse()

    # What goes out.

    def _ask(self, s: _Session, op: str, fields: Dict[str, Any], of: Optional[Ownership] = None,
             waiter: Optional[_Waiter] = None) -> None:
        s.last_id += 1
        s.marks += op == "mark"
        s.asked.append(_Request(s.last_id, op, _boottime(), of, waiter))
        s.out += _line(dict(fields, op=op, id=s.last_id))

    def _pump(self, s: _Session) -> None:
        """Make requests of what is to be said, as long as the socket takes them."""
        while self._unsent and len(s.out) < _OUT_FULL:
            o = self._unsent.popleft()
            o._queued = False
            if o._phase == _IDLE:
                o._phase = _MARKING
                token = {"token": o._token} if o._token else {}
                self._ask(s, "mark", {"job": o.job, "run": o.run, **_given(o._fields), **token}, o)
            elif o._phase == _HELD:
                self._pump_held(s, o)

    def _pump_held(self, s: _Session, o: Ownership) -> None:
        held = {"job": o.job, "token": o._token}
        if o._clearing:
            o._phase = _OVER
            self._ask(s, "clear", held, o)
            return
        if o._step_new:
            o._step_new = False
            budget = {"budget_s": max(0.001, o._step_until - _boottime())} if o._step_until else {}
            self._ask(s, "step", {**held, "step": o._step, **budget}, o)
        waiting, o._checks = o._checks, []
        for waiter in waiting:
            if not waiter.left:
                hold = _span(waiter.hold)
                self._ask(s, "check", {**held, "hold_s": hold} if hold else held, o, waiter)

    def _flush(self, s: _Session) -> None:
        while s.out and not s.ended:
            try:
                sent = s.sock.send(s.out)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as why:
                s.ended = _explain(why)
                return
            del s.out[:sent]

    # What comes in.

    def _receive(self, s: _Session, line: bytes) -> None:
        m = _parse(line)
        self._heard, self._silent = _boottime(), False
        if "event" in m:
            o = self._tokens.get(m["token"])
            if m["event"] == "revoked" and o is not None:
                self._take(o, _text(m.get("reason")))
            elif m["event"] == "revoked" and s.marks:
                s.early[m["token"]] = _text(m.get("reason"))
            return
        if not s.asked:
            raise _Nonsense("a reply to nothing")
        r = s.asked[0]
        if m.get("id") != r.id and (m["ok"] or "id" in m):
            raise _Nonsense("a reply out of order")
        s.asked.popleft()
        s.marks -= r.op == "mark"
        if m["ok"]:
            s.lease_until = max(s.lease_until, r.sent + s.lease)
        if r.op == "hello":
            self._greeted(s, r, m)
        elif r.op == "beat":
            s.beating = False
        elif r.of is not None:
            {"mark": self._on_mark, "step": self._on_step, "check": self._on_check, "clear": self._on_clear}[r.op](s, r, r.of, m)
        if not s.marks:
            s.early.clear()
        self._pump(s)
        self._flush(s)

    def _greeted(self, s: _Session, r: _Request, m: Dict[str, Any]) -> None:
        lease = _span(m.get("lease_s"))
        if not m["ok"] or lease <= 0:
            raise _Nonsense("hello was refused: %s" % _refusal(m))
        s.lease = max(1.0, lease)
        s.beat = _span(m.get("beat_s"))
        if not 0 < s.beat < s.lease:
            s.beat = s.lease / 3
        s.beat = max(0.1, s.beat)
        s.lease_until = r.sent + s.lease
        s.next_beat = r.sent + s.beat
        s.greeted = True
        self._away = False
        self._cadence = min(_MAX_AGAIN, s.lease / 3)
        self._note(logging.INFO, "connected to the watchdog, lease %g s" % s.lease)
        granted = sorted((o for o in self._owned if o._token), key=lambda o: o._token)
        self._unsent.extend(granted)
        self._unsent.extend(o for o in self._owned if not o._token)
        for o in self._unsent:
            o._queued = True

    def _on_mark(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        if o._phase != _MARKING:  # an event was faster
            return
        error = m.get("error")
        if m["ok"]:
            token = m.get("token")
            if not isinstance(token, int) or token <= 0 or o._token not in (0, token):
                raise _Nonsense("a mark without its token")
            o._phase, o._token, o._granted, o._why = _HELD, token, True, ""
            self._tokens[token] = o
            if token in s.early:
                self._take(o, s.early[token])
                return
            self._confirm(s, o)
            o._settled.tell()
            self._send(o)
        elif error == "owned":
            owner = m.get("owner")
            o.owner = _text(owner.get("name")) if isinstance(owner, dict) else ""
            self._take(o, "owned")
        elif error == "revoked":
            self._take(o, _text(m.get("reason")))
        elif o._token and error in ("bad-request", "not-owner"):
            # A watchdog that does not know the token has lost its memory: the job is marked afresh, and it decides.
            self._tokens.pop(o._token, None)
            o._phase, o._token = _IDLE, 0
            self._send(o)
        elif error in ("bad-request", "not-owner", "forbidden", "too-long", "unknown-op", "unsupported-version"):
            self._refuse(o, _refusal(m))
        elif o._clearing:
            self._drop(o, "cleared")
        else:  # unavailable, overloaded, or a word of a later watchdog
            o._phase, o._why = _PAUSED, _refusal(m)
            self._paused.append(o)
            self._answer_all(o, self._unknown(o, o._why))
            o._settled.tell()

    def _confirm(self, s: _Session, o: Ownership) -> None:
        """Have the watchdog ask the database now what it asks at the first check under a token: so that the
        finalizer's own, for which it will wait 50 ms at most, need not. The hold that comes with it is over at once."""
        if not o._clearing:
            self._ask(s, "check", {"job": o.job, "token": o._token, "hold_s": 0.001}, o)

    def _on_step(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        self._lost_token(o, m)

    def _on_check(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        lost = self._lost_token(o, m)
        if r.waiter is None:
            return
        if lost:
            r.waiter.tell(Answer(REVOKED, o._why))
        elif not m["ok"]:
            r.waiter.tell(self._unknown(o, _refusal(m)))
        else:
            until = r.sent + _span(m.get("hold_s"))
            o._hold_until = max(o._hold_until, until)
            if _boottime() < until:
                r.waiter.tell(Answer(OK, proceed=True, until=until))
            else:
                r.waiter.tell(self._unknown(o, "the hold ran out before its answer came"))

    def _on_clear(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        self._drop(o, "cleared")

    def _lost_token(self, o: Ownership, m: Dict[str, Any]) -> bool:
        """Act on a reply that says that the token is good no more, and say whether the ownership is over. Where the
        token is only strange to this session it is resumed, and that reply tells."""
        if m.get("error") == "revoked":
            self._take(o, _text(m.get("reason")))
        elif m.get("error") == "not-owner" and o._phase == _HELD:
            o._phase, o._step_new = _IDLE, o._step != ""
            self._send(o)
        return o._phase == _OVER

    # The thread. These take the lock themselves.

    def _run(self, wake: sockets.socket) -> None:
        failures = 0
        while self._needed(wake):
            began = _boottime()
            greeted, why = False, ""
            try:
                greeted, why = self._serve(wake)
            except Exception:
                _log.exception("the client of the watchdog failed; it begins anew")
                why = "an internal error"
            if self._closed:
                break
            with self._lock:
                self._part(why, greeted, failures)
            self._tell_notes()
            if greeted and _boottime() - began >= self._cadence:
                failures = 0
            self._quit.wait(_backoff(failures, self._cadence))
            failures += 1
        with self._lock:
            self._hang_up()
            pair, self._wake = self._wake, None
        for end in pair or ():
            end.close()

    def _needed(self, wake: sockets.socket) -> bool:
        """Wait until something is owned; false once the client is closed."""
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        while not self._closed:
            with self._lock:
                self._release_ended(_boottime())
                if self._owned:
                    return True
            self._tell_notes()
            poll.poll()
            self._slept(wake)
        return False

    def _serve(self, wake: sockets.socket) -> Tuple[bool, str]:
        """Speak on one connection until it ends; say whether the watchdog said hello, and why it ended."""
        sock = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(self._socket)
        except (OSError, ValueError) as why:
            sock.close()
            return False, _explain(why)
        s = _Session(sock, _boottime())
        with self._lock:
            self._session = s
            lease = _span(self._lease)
            hello = {"v": 1, "name": self._name}
            self._ask(s, "hello", {**hello, "lease_s": lease} if lease else hello)
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(sock, select.POLLIN)
        while not self._closed:
            with self._lock:
                within = self._tick(s)
                poll.modify(sock, select.POLLIN | (select.POLLOUT if s.out else 0))
            self._tell_notes()
            if s.ended:
                break
            ready = dict(poll.poll(within * 1000))
            if wake.fileno() in ready:
                self._slept(wake)
            if ready.get(sock.fileno(), 0) & ~select.POLLOUT:
                self._read(s)
        return s.greeted, s.ended

    def _tick(self, s: _Session) -> float:
        """Do what is due, and return in how many seconds something will be. The caller holds the lock."""
        now = _boottime()
        if not s.greeted:
            if now >= s.began + _HELLO_WITHIN:
                s.ended = "it did not answer hello"
            self._flush(s)
            self._release_ended(now)
            return max(0.0, min(s.began + _HELLO_WITHIN - now, _SCAN_EVERY))
        self._release_ended(now)
        if now >= s.next_beat:
            s.next_beat = now + s.beat
            again, self._paused = self._paused, []
            for o in again:
                if o._phase == _PAUSED:
                    o._phase = _IDLE
                    self._send(o)
            if not s.beating:
                s.beating = True
                self._ask(s, "beat", {})
        self._pump(s)
        self._flush(s)
        return max(0.0, min(s.next_beat - now, _SCAN_EVERY if self._owned else s.beat))

    def _release_ended(self, now: float) -> None:
        """Give up what threads left behind that have ended. A hold is left to run out first: what the thread
        started may go on. The caller holds the lock."""
        for name, refused in list(self._refused.items()):
            if not _lives(refused._holder):
                del self._refused[name]
        for holder, owned in list(self._holders.values()):
            if _lives(holder) or now < self._ended.setdefault(id(holder), now) + _ADOPT_WITHIN:
                continue
            for o in list(owned):
                if now >= o._hold_until and not o._clearing:
                    self._note(logging.WARNING, "the finalizer of job %s ended without clearing it" % o.job)
                    self._clear_locked(o)

    def _read(self, s: _Session) -> None:
        try:
            data = s.sock.recv(_MAX_REPLY)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as why:
            s.ended = _explain(why)
            return
        with self._lock:
            if not data:
                s.ended = "it hung up"
            s.inn += data
            try:
                *lines, rest = bytes(s.inn).split(b"\n")
                for line in lines:
                    self._receive(s, line)
                s.inn = bytearray(rest)
                if len(rest) > _MAX_REPLY:
                    raise _Nonsense("a line without end")
            except _Nonsense as why:
                s.ended = str(why)

    def _part(self, why: str, greeted: bool, failures: int) -> None:
        """Take in that the connection ended or never was. When the next attempt comes at once callers may wait for
        it; else the watchdog is away. The caller holds the lock."""
        self._hang_up()
        self._failed_at = _boottime()
        if greeted:
            self._note(logging.WARNING, "lost the watchdog: %s" % why)
        elif failures == 0:
            self._note(logging.INFO, "the watchdog is away: %s" % why)
        if not greeted or failures > 0:
            self._give_up("the watchdog is away")

    def _hang_up(self) -> None:
        """What is owned is to be resumed, what was asked is asked again, what was being cleared is left to the
        lease. The caller holds the lock."""
        s, self._session = self._session, None
        if s is None:
            return
        s.sock.close()
        self._unsent.clear()
        self._paused = []
        for r in s.asked:
            if r.of is None or r.waiter is None or r.waiter.told:
                continue
            if r.of._phase == _OVER or r.of._clearing:
                r.waiter.tell(Answer(REVOKED, r.of._why or "cleared"))
            elif not r.waiter.left:
                r.of._checks.append(r.waiter)
        for o in list(self._owned):
            o._queued = False
            if o._clearing:
                self._drop(o, "cleared")
                continue
            o._phase, o._step_new = _IDLE, o._step != ""

    def _slept(self, wake: sockets.socket) -> None:
        with self._lock:
            self._roused = False
            try:
                wake.recv(64)
            except OSError:
                pass

    def _tell_notes(self) -> None:
        """Log what happened, where no lock is held: a handler may take its time."""
        with self._lock:
            notes, self._notes = self._notes, []
        for level, text in notes:
            _log.log(level, "%s", text)

    # Processes.

    def _same_process(self) -> None:
        """Begin anew in a process that was forked in a way that told Python nothing."""
        if self._pid != os.getpid():
            self._after_fork()

    def _after_fork(self) -> None:
        """Let go of what is the parent's. Closing the child's copies of its sockets ends nothing there."""
        session, wake, closed = self._session, self._wake, self._closed
        self._begin()
        self._closed = closed
        for end in ((session.sock,) if session else ()) + (wake or ()):
            end.close()


class AsyncOwnership:
    """An ownership for coroutines of one event loop. Nothing in it blocks the loop."""

    def __init__(self, o: Ownership) -> None:
        loop = asyncio.get_running_loop()
        self.revoked = asyncio.Event()
        """Set when the job is known to be another's."""
        self._o = o
        _listen(o, lambda: _soon(loop, self.revoked.set))

    job = property(lambda self: self._o.job)
    run = property(lambda self: self._o.run)
    granted = property(lambda self: self._o.granted)
    reason = property(lambda self: self._o.reason)
    owner = property(lambda self: self._o.owner)

    def step(self, name: str, budget: Optional[float] = None) -> None:
        """As Ownership.step."""
        self._o.step(name, budget)

    async def check(self, hold: Optional[float] = None, timeout: Optional[float] = None) -> Answer:
        """As Ownership.check."""
        client = self._o._client
        try:
            waiter, answer = client._begin_check(self._o, hold, timeout is not None)
            if waiter is None:
                return answer
            await _told(client, waiter, client._timeout if timeout is None else timeout)
            return client._end_check(self._o, waiter)
        except Exception:
            _log.exception("check failed")
            return client._unknown(self._o, "the client failed")

    async def clear(self) -> None:
        """As Ownership.clear."""
        client = self._o._client
        if client._begin_clear(self._o):
            await _told(client, self._o._gone, client._timeout)

    def adopt(self) -> None:
        """Make the calling task the finalizer."""
        self._o._client._adopt(self._o, asyncio.current_task())


class AsyncClient:
    """The calls of a Client as coroutines, over that client's thread and connection. The finalizer is the task."""

    def __init__(self, client: Optional[Client] = None) -> None:
        self._client = client or default_client()

    async def mark(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
                   role: str = "finalizer") -> AsyncOwnership:
        """As Client.mark."""
        return await self._mark(job, run, stage, task, key, role, True)

    def own(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
            role: str = "finalizer") -> "_AsyncOwn":
        """As Client.own, for `async with`."""
        return _AsyncOwn(lambda: self._mark(job, run, stage, task, key, role, False))

    async def clear(self, job: Id) -> None:
        """As Client.clear."""
        for o in self._client._marked_of(job, asyncio.current_task()):
            if self._client._begin_clear(o):
                await _told(self._client, o._gone, self._client._timeout)

    def is_owned(self, job: Id) -> bool:
        """As Client.is_owned."""
        return self._client.is_owned(job)

    async def _mark(self, job: Id, run: Id, stage: str, task: str, key: str, role: str, shared: bool) -> AsyncOwnership:
        client = self._client
        o, wait = client._begin_mark(job, run, stage, task, key, role, asyncio.current_task(), shared)
        try:
            if wait:
                await _told(client, o._settled, client._timeout)
            return AsyncOwnership(o)
        except BaseException:  # cancelled: the caller never gets the ownership
            client._begin_clear(o)
            raise


class _AsyncOwn:
    """What AsyncClient.own gives to `async with`."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin
        self._owned: Optional[AsyncOwnership] = None

    async def __aenter__(self) -> AsyncOwnership:
        self._owned = await self._begin()
        return cast(AsyncOwnership, self._owned)

    async def __aexit__(self, *exc: object) -> None:
        if self._owned is not None:
            await self._owned.clear()


def _listen(o: Ownership, call: Callable[[], None]) -> None:
    with o._client._lock:
        o._on_revoked.append(call)
        if o.revoked.is_set():
            call()


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        pass  # the loop is closed: nobody waits there any more


async def _told(client: Client, waiter: _Waiter, limit: float) -> None:
    """Wait for an answer as Client._await does."""
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[None]" = loop.create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    with client._lock:
        waiter.then(lambda: _soon(loop, wake))
    began = _boottime()
    await asyncio.wait({future}, timeout=limit)
    client._waited(waiter, began)


# The wire.


def _line(request: Dict[str, Any]) -> bytes:
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _parse(line: bytes) -> Dict[str, Any]:
    """Read one line of the watchdog: a reply, which has "ok", or an event."""
    try:
        m = json.loads(line)
    except (ValueError, RecursionError):
        raise _Nonsense("a line that is no JSON") from None
    if not isinstance(m, dict) or not ("event" in m or isinstance(m.get("ok"), bool)):
        raise _Nonsense("a line that is neither reply nor event")
    if "event" in m and not isinstance(m.get("token"), int):
        raise _Nonsense("an event without a token")
    return cast(Dict[str, Any], m)


def _span(value: Any) -> float:
    if not isinstance(value, (int, float)) or not 0 < value <= _MAX_SPAN:
        return 0.0
    return float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _refusal(m: Dict[str, Any]) -> str:
    return ": ".join(filter(None, (_text(m.get(k)) for k in ("error", "field", "message"))))


def _cut(text: str) -> str:
    """Cut a text for people to what the protocol takes, and to whole letters."""
    return str(text).encode("utf-8", "ignore")[:_MAX_TEXT].decode("utf-8", "ignore")


def _id(value: Id) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError("an id is an integer or a string")
    return str(value)


def _given(fields: Dict[str, str]) -> Dict[str, str]:
    return {name: text for name, text in fields.items() if text}


def _fit(o: Ownership) -> None:
    """Raise ValueError if no request can name the job."""
    for name, text in (("job", o.job), ("run", o.run), ("key", o._fields["key"])):
        size = len(text.encode())  # raises for half a surrogate pair: two ids could become one
        if not 1 <= size <= _MAX_ID:
            raise ValueError("its %s has %d bytes, not 1 to %d" % (name, size, _MAX_ID))
    # Room is left for the id and the token.
    if len(_line(dict(_given(o._fields), op="mark", job=o.job, run=o.run))) > _MAX_LINE - 64:
        raise ValueError("its texts do not fit into one request")


def _inert(client: Client, why: str) -> Ownership:
    o = Ownership(client, "", "", {}, None)
    o._phase, o._why = _INERT, why
    return o


def _lives(holder: Any) -> bool:
    if isinstance(holder, threading.Thread):
        return holder.is_alive()
    return holder is None or not holder.done()


def _explain(why: Exception) -> str:
    if isinstance(why, OSError) and why.errno == errno.EAGAIN:
        return "its backlog is full"
    return str(why)


def _backoff(failures: int, most: float) -> float:
    """How many seconds to wait after so many failures before: hardly at all at first, then twice as long each
    time, and never the same for two clients."""
    if failures == 0:
        return random.uniform(0, 0.005)
    return min(most, 0.05 * float(1 << min(failures - 1, 20))) * random.uniform(0.5, 1)


# The client of the process.

_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()
_default: Optional[Client] = None
_default_lock = threading.Lock()


def default_client() -> Client:
    """The client behind the functions of this module; its settings are the defaults of Client."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Client()
        return _default


def mark(job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "", role: str = "finalizer") -> Ownership:
    """Client.mark of the process's client."""
    return default_client().mark(job, run=run, stage=stage, task=task, key=key, role=role)


def own(job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "", role: str = "finalizer") -> Ownership:
    """Client.own of the process's client."""
    return default_client().own(job, run=run, stage=stage, task=task, key=key, role=role)


def clear(job: Id) -> None:
    """Client.clear of the process's client."""
    default_client().clear(job)


def is_owned(job: Id) -> bool:
    """Client.is_owned of the process's client."""
    return default_client().is_owned(job)


def _forked() -> None:
    global _default_lock
    _default_lock = threading.Lock()
    for client in list(_clients):
        client._after_fork()


def _exiting() -> None:
    """Let no thread run into an interpreter that is taken apart. Whoever still owns something is told by the
    exit of the process."""
    for client in list(_clients):
        client._closed = True
        client._quit.set()
        wake = client._wake
        if wake is not None:
            try:
                wake[1].send(b"x")
            except OSError:
                pass
        if client._thread is not None:
            client._thread.join(client._timeout)


os.register_at_fork(after_in_child=_forked)
atexit.register(_exiting)
