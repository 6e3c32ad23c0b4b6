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

From top to bottom: the answers; an ownership; the book of what is owned; a session, which is one connection; the
dialogue, which outlives sessions; the link between this process and a watchdog; its thread; the client, and the same
for asyncio; the wire; the client of the process.

One lock guards a link, and is never held while anything waits. Callers put their requests on the wire themselves;
the thread reads the replies, beats and connects. A call that does not get the lock in time leaves what it wanted
done to whoever has it next.
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
import reprlib
import select
import socket as sockets
import threading
import time
import uuid
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Coroutine, Deque, Dict, List, Optional, Set, Tuple, TypeVar, Union, cast

__all__ = ["Answer", "AsyncClient", "AsyncOwnership", "Client", "OK", "Ownership", "REVOKED", "UNKNOWN", "clear",
           "default_client", "is_owned", "mark", "own"]
__version__ = "0.1.0"

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
_MAX_REFUSED = 1000  # refused marks that are remembered, in case clear(job) comes for them
_TAIL_WAIT = 1.0  # how long close and the end of the interpreter wait for its thread
_SAME_AGAIN = 1.0  # no more than one line in so many seconds about the same fault

_log = logging.getLogger("finalizer_liveness")
_log.addHandler(logging.NullHandler())

_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def _boottime() -> float:
    """Seconds since the machine started, suspension included; no one can set that clock."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def _say(level: int, text: str) -> None:
    """Log, and bear with a handler that raises: it is not the watchdog's business, and must not end its thread."""
    try:
        _log.log(level, "%s", text)
    except Exception:
        pass  # there is nowhere left to tell it


_complained: Dict[str, float] = {}


def _complain(what: str, level: int = logging.ERROR, fault: bool = True) -> None:
    """Log what went wrong, with the exception that is being handled if it is a fault; not again for a while."""
    now = _boottime()
    if now - _complained.get(what, -_SAME_AGAIN) < _SAME_AGAIN:
        return
    if len(_complained) > 100:
        _complained.clear()
    _complained[what] = now
    try:
        _log.log(level, "%s", what, exc_info=fault)
    except Exception:
        pass


_Method = TypeVar("_Method", bound=Callable[..., Any])


def _harmless(otherwise: Callable[..., Any]) -> Callable[[_Method], _Method]:
    """Make a method give otherwise(…), of the same arguments, where it would raise: a bug in here must not stop a
    finalizer. A method that waits is none for it: what is raised there is the caller's, by a signal handler."""

    def decorate(method: _Method) -> _Method:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except Exception:
                _complain("%s failed" % method.__name__)
                return otherwise(*args, **kwargs)

        return cast(_Method, call)

    return decorate


# The answers.


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
        """Have call called when told, from any thread. The caller holds the link's lock."""
        self._then = call
        if self.told:
            call()

    @classmethod
    def knowing(cls, answer: Optional[Answer]) -> "_Waiter":
        """One that need not wait."""
        waiter = cls()
        waiter.tell(answer)
        return waiter


# An ownership.

# What it is at the watchdog, as far as this session knows.
_IDLE = "idle"  # to be marked or resumed
_MARKING = "marking"  # asked for
_HELD = "held"  # granted
_PAUSED = "paused"  # refused for now: asked for again at the next beat
_INERT = "inert"  # refused for good, for no fault of another: it does nothing
_OVER = "over"  # revoked, owned by another, or cleared


class Ownership:
    """One job that this process finalizes, from mark to clear. Its methods may be called from any thread."""

    def __init__(self, link: "_Link", job: str, run: str, fields: Dict[str, str], holder: Any) -> None:
        self.job = job
        self.run = run
        self.revoked = threading.Event()
        """Set when the job is known to be another's: also when the mark was refused for that."""
        self.owner = ""
        """The name of the session that has the job, where `reason` is "owned" and it has one."""
        self._link = link
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
        self._for_loop: Optional["AsyncOwnership"] = None

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
        self._link.step(self, name, budget)

    def check(self, hold: Optional[float] = None, timeout: Optional[float] = None) -> Answer:
        """Ask whether the caller still owns the job, and for the promise that it will for a while.

        hold: how many seconds to ask for, at most the watchdog's setting, which is the default.
        timeout: how many seconds to wait, instead of the client's; then also for a watchdog that is silent now.
        """
        began = _boottime()
        waiter = self._link.begin_check(self, hold, timeout is not None)
        self._link.wait(waiter, began, timeout)
        return self._link.end_check(self, waiter)

    def clear(self) -> None:
        """Say that the owner is done with the job, finalized or not. Only the first clear does anything."""
        self._link.clear(lambda: [self])

    def adopt(self) -> None:
        """Make the calling thread the finalizer: the end of the one before means nothing any more."""
        self._link.adopt(self, threading.current_thread())

    def __enter__(self) -> "Ownership":
        return self

    def __exit__(self, *exc: object) -> None:
        self.clear()


# The book.


class _Book:
    """What a process owns, by all that it is looked up by. The caller holds the link's lock."""

    def __init__(self) -> None:
        self.owned: Set[Ownership] = set()
        self.jobs: Dict[str, Set[Ownership]] = {}
        self.tokens: Dict[int, Ownership] = {}
        self.holders: Dict[int, Tuple[Any, Set[Ownership]]] = {}
        self._ended: Dict[int, float] = {}  # holders that were seen to have ended, and when
        self.marked: Dict[Tuple[str, int], Ownership] = {}  # by mark, for clear(job) to find
        self.refused: Dict[Tuple[str, int], Ownership] = {}  # whose clear(job) has nothing to clear

    def add(self, o: Ownership, shared: bool) -> None:
        """Take in an ownership; a shared one, which mark gave, is found again by job and holder."""
        self.owned.add(o)
        self.jobs.setdefault(o.job, set()).add(o)
        self._hold(o)
        if shared:
            self.marked[_marked_as(o)] = o
            self.refused.pop(_marked_as(o), None)

    def remove(self, o: Ownership) -> None:
        self.owned.discard(o)
        self._leave(o)
        of_job = self.jobs.get(o.job)
        if of_job is not None:
            of_job.discard(o)
            if not of_job:
                del self.jobs[o.job]
        if self.tokens.get(o._token) is o:
            del self.tokens[o._token]
        self.unmark(o)

    def unmark(self, o: Ownership) -> bool:
        """Have clear(job) not find it, and say whether it did."""
        if self.marked.get(_marked_as(o)) is not o:
            return False
        del self.marked[_marked_as(o)]
        return True

    def refuse(self, o: Ownership) -> None:
        """Remember who was refused, lest its clear(job) clears another's mark."""
        if self.marked.get(_marked_as(o)) is o:
            self.refused[_marked_as(o)] = o
            if len(self.refused) > _MAX_REFUSED:
                del self.refused[next(iter(self.refused))]

    def marks_of(self, job: str, holder: Any) -> List[Ownership]:
        """What the holder's clear(job) clears: its own mark or, if it made none, those of others."""
        if self.refused.pop((job, id(holder)), None) is not None:
            return []
        mine = self.marked.get((job, id(holder)))
        if mine is not None:
            return [mine]
        return [o for o in self.jobs.get(job, ()) if self.marked.get(_marked_as(o)) is o]

    def hand_over(self, o: Ownership, holder: Any) -> None:
        if o not in self.owned:
            return
        marked = self.unmark(o)
        self._leave(o)
        o._holder = holder
        self._hold(o)
        if marked:
            self.marked[_marked_as(o)] = o

    def left_behind(self, now: float) -> List[Ownership]:
        """What is owned by threads and tasks that have ended. A hold is left to run out first: what the finalizer
        started may go on."""
        for name, refused in list(self.refused.items()):
            if not _lives(refused._holder):
                del self.refused[name]
        left: List[Ownership] = []
        for holder, owned in list(self.holders.values()):
            if not _lives(holder) and now >= self._ended.setdefault(id(holder), now) + _ADOPT_WITHIN:
                left.extend(o for o in owned if now >= o._hold_until and not o._clearing)
        return left

    def _hold(self, o: Ownership) -> None:
        self.holders.setdefault(id(o._holder), (o._holder, set()))[1].add(o)

    def _leave(self, o: Ownership) -> None:
        entry = self.holders.get(id(o._holder))
        if entry is not None:
            entry[1].discard(o)
            if not entry[1]:
                del self.holders[id(o._holder)]
                self._ended.pop(id(o._holder), None)


def _marked_as(o: Ownership) -> Tuple[str, int]:
    return o.job, id(o._holder)


def _lives(holder: Any) -> bool:
    """Whether a thread or task goes on. What cannot be told to have ended, as a thread of gevent's, is taken to live."""
    if asyncio.isfuture(holder):
        return not holder.done()
    try:
        return bool(holder.is_alive())
    except Exception:
        return True


# A session.


@dataclass
class _Request:
    """One that waits for its reply."""

    id: int
    op: str
    sent: float
    of: Optional[Ownership] = None
    waiter: Optional[_Waiter] = None


class _Nonsense(Exception):
    """The other end does not speak the protocol."""


class _Session:
    """One connection. All of it is guarded by the link's lock, but that only the thread reads from the socket."""

    def __init__(self, sock: sockets.socket, now: float) -> None:
        self.sock = sock
        self.out = bytearray()
        self._in = bytearray()
        self.asked: Deque[_Request] = collections.deque()
        self._last_id = 0
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

    def ask(self, op: str, fields: Dict[str, Any], of: Optional[Ownership] = None,
            waiter: Optional[_Waiter] = None) -> None:
        self._last_id += 1
        self.marks += op == "mark"
        self.asked.append(_Request(self._last_id, op, _boottime(), of, waiter))
        self.out += _line(dict(fields, op=op, id=self._last_id))

    def flush(self) -> None:
        while self.out and not self.ended:
            try:
                sent = self.sock.send(self.out, sockets.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as why:
                self.ended = _explain(why)
                return
            del self.out[:sent]

    def lines(self, data: bytes) -> List[bytes]:
        """Take in what was read, and give the lines that are whole now."""
        if not data:
            self.ended = "it hung up"
        self._in += data
        *lines, rest = bytes(self._in).split(b"\n")
        self._in = bytearray(rest)
        if len(rest) > _MAX_REPLY:
            raise _Nonsense("a line without end")
        return lines

    def answered(self, m: Dict[str, Any]) -> _Request:
        """The request that a reply belongs to: they come in order."""
        if not self.asked:
            raise _Nonsense("a reply to nothing")
        r = self.asked[0]
        if m.get("id") != r.id and (m["ok"] or "id" in m):
            raise _Nonsense("a reply out of order")
        self.asked.popleft()
        self.marks -= r.op == "mark"
        if m["ok"]:
            self.lease_until = max(self.lease_until, r.sent + self.lease)
        return r

    def greet(self, r: _Request, m: Dict[str, Any]) -> None:
        lease = _span(m.get("lease_s"))
        if not m["ok"] or lease <= 0:
            raise _Nonsense("hello was refused: %s" % _refusal(m))
        self.lease = max(1.0, lease)
        self.beat = _span(m.get("beat_s"))
        if not 0 < self.beat < self.lease:
            self.beat = self.lease / 3
        self.beat = max(0.1, self.beat)
        self.lease_until = r.sent + self.lease
        self.next_beat = r.sent + self.beat
        self.greeted = True


# The dialogue.


@dataclass(frozen=True)
class _Settings:
    """Of a client."""

    socket: str
    name: str
    lease: Optional[float]
    timeout: float
    proceed: bool


class _Bell:
    """Wakes the thread. It needs no lock."""

    def __init__(self) -> None:
        self._ends: Optional[Tuple[sockets.socket, sockets.socket]] = None
        self._rung = False

    def hang(self) -> sockets.socket:
        """Make what the thread waits for."""
        heard, rope = sockets.socketpair()
        for end in (heard, rope):
            end.setblocking(False)
        self._ends, self._rung = (heard, rope), False
        return heard

    def ring(self) -> None:
        if self._ends is None or self._rung:
            return
        self._rung = True
        try:
            self._ends[1].send(b"x", sockets.MSG_NOSIGNAL)
        except OSError:
            pass  # it is full, or closed: either way the thread wakes

    def heard(self) -> None:
        """Stop ringing. Whoever rings from here on rings for what the thread has not looked at yet."""
        try:
            if self._ends is not None:
                self._ends[0].recv(64)
        except OSError:
            pass
        self._rung = False

    def close(self) -> None:
        ends, self._ends = self._ends, None
        for end in ends or ():
            end.close()


class _Dialogue:
    """What is owned, and what was said of it to the watchdog and by it. The caller holds the link's lock."""

    def __init__(self, settings: _Settings, bell: _Bell) -> None:
        self.settings = settings
        self.book = _Book()
        self.session: Optional[_Session] = None
        self.cadence = _MAX_AGAIN
        self.closed = False
        self.away = False  # waiting for the watchdog is known to be in vain
        self.silent = False  # a call waited in vain, and nothing was heard since
        self.heard = 0.0
        self._bell = bell
        self._notes: Deque[Tuple[int, str]] = collections.deque()  # to be logged where no lock is held
        self._failed_at = 0.0
        self._unsent: Deque[Ownership] = collections.deque()
        self._paused: List[Ownership] = []

    def enlist(self, o: Ownership, shared: bool) -> None:
        """Take in what is to be owned from now on."""
        if not self.book.owned and self.session is None and _boottime() - self._failed_at > self.cadence:
            self.away, self.silent = False, False  # nobody has tried since
        self.book.add(o, shared)

    def step(self, o: Ownership, name: str, until: float) -> None:
        o._step, o._step_until, o._step_new = name, until, True
        if o._phase == _HELD:
            self.send(o)

    def check(self, o: Ownership, waiter: _Waiter, patient: bool) -> None:
        """Have a check sent, unless it is known what would come of it."""
        known = self._known(o, patient)
        if known is not None:
            waiter.tell(known)
            return
        o._checks.append(waiter)
        self.send(o)

    def _known(self, o: Ownership, patient: bool) -> Optional[Answer]:
        """What can be answered without asking."""
        if o._clearing:
            return Answer(REVOKED, "cleared")
        if o._phase == _OVER:
            return Answer(REVOKED, o._why)
        if o._phase in (_INERT, _PAUSED):
            return self.unknown(o, o._why)
        if self.closed:
            return self.unknown(o, "the client is closed")
        if self.away and self.session is None:
            return self.unknown(o, "the watchdog is away")
        if self.silent and not patient:
            return self.unknown(o, "the watchdog does not answer")
        return None

    def unknown(self, o: Ownership, why: str) -> Answer:
        """It needs no lock."""
        return Answer(UNKNOWN, why, proceed=not o._granted or self.settings.proceed)

    def clear(self, o: Ownership) -> bool:
        """Have a clear sent, and say whether it was."""
        self.book.unmark(o)
        if o._clearing or o._phase in (_OVER, _INERT):
            return False
        o._clearing = True
        self._answer_all(o, Answer(REVOKED, "cleared"))
        if self.session is None or o._phase not in (_MARKING, _HELD):
            self._drop(o, "cleared")
            return False
        self.send(o)
        return True

    def clear_left_behind(self, now: float) -> None:
        for o in self.book.left_behind(now):
            self.note(logging.WARNING, "the finalizer of job %s ended without clearing it" % o.job)
            self.clear(o)

    def note(self, level: int, text: str) -> None:
        self._notes.append((level, text))
        self._bell.ring()

    def tell_notes(self) -> None:
        """Log what happened, where no lock is held: a handler may take its time."""
        while True:
            try:
                level, text = self._notes.popleft()
            except IndexError:
                return
            _say(level, text)

    # How an ownership ends, or waits.

    def _drop(self, o: Ownership, why: str) -> None:
        """End an ownership of which nothing is left to send."""
        self.book.remove(o)
        o._phase, o._why = _OVER, why
        o._settled.tell()
        o._gone.tell()

    def _take(self, o: Ownership, why: str) -> None:
        """End an ownership that is another's by now, and tell everyone who waits: last those who wait for the mark, and
        look then whether it was revoked."""
        if o._phase == _OVER:
            return
        self.book.refuse(o)
        if not o._clearing:
            o._phase, o._why = _OVER, why
            o.revoked.set()
            for call in o._on_revoked:
                call()
            self._answer_all(o, Answer(REVOKED, why))
            self.note(logging.WARNING, "job %s was revoked from this process: %s" % (o.job, why))
        self._drop(o, why)

    def _refuse(self, o: Ownership, why: str) -> None:
        """Take in that the mark was refused for good, for no fault of another."""
        self.book.remove(o)
        o._phase, o._why = _INERT, why
        self._answer_all(o, self.unknown(o, why))
        o._settled.tell()
        o._gone.tell()
        self.note(logging.WARNING, "the watchdog refused to mark job %s: %s" % (o.job, why))

    def _pause(self, o: Ownership, why: str) -> None:
        """Ask again at the next beat, and not before."""
        o._phase, o._why = _PAUSED, why
        self._paused.append(o)
        self._answer_all(o, self.unknown(o, why))
        o._settled.tell()

    def _answer_all(self, o: Ownership, a: Answer) -> None:
        waiting, o._checks = o._checks, []
        for waiter in waiting:
            waiter.tell(a)

    def give_up(self, why: str) -> None:
        """Answer everyone who waits for a watchdog that does not come."""
        self.away = True
        for o in self.book.owned:
            o._settled.tell()
            self._answer_all(o, self.unknown(o, why))

    def stay_away(self, why: str) -> None:
        """Take in that nobody can look for the watchdog now."""
        if not self.away:
            self.note(logging.WARNING, why)
        self.away, self._failed_at = True, _boottime()

    # What goes out.

    def greet(self, s: _Session) -> None:
        self.session = s
        lease = _span(self.settings.lease)
        hello = {"v": 1, "name": self.settings.name}
        s.ask("hello", {**hello, "lease_s": lease} if lease else hello)

    def send(self, o: Ownership) -> None:
        """See to it that what the ownership has to say is said."""
        s = self.session
        if s is None or not s.greeted:
            return  # a new session looks at all
        if not o._queued:
            o._queued = True
            self._unsent.append(o)
        self._pump(s)
        if s.out or s.ended:
            self._bell.ring()

    def _pump(self, s: _Session) -> None:
        """Make requests of what is to be said, as long as the socket takes them."""
        while self._unsent and len(s.out) < _OUT_FULL:
            o = self._unsent.popleft()
            o._queued = False
            if o._phase == _IDLE:
                o._phase = _MARKING
                token = {"token": o._token} if o._token else {}
                s.ask("mark", {"job": o.job, "run": o.run, **_given(o._fields), **token}, o)
            elif o._phase == _HELD:
                self._pump_held(s, o)
        s.flush()

    def _pump_held(self, s: _Session, o: Ownership) -> None:
        held = {"job": o.job, "token": o._token}
        if o._clearing:
            o._phase = _OVER
            s.ask("clear", held, o)
            return
        if o._step_new:
            o._step_new = False
            budget = {"budget_s": max(0.001, o._step_until - _boottime())} if o._step_until else {}
            s.ask("step", {**held, "step": o._step, **budget}, o)
        waiting, o._checks = o._checks, []
        for waiter in waiting:
            if not waiter.left:
                hold = _span(waiter.hold)
                s.ask("check", {**held, "hold_s": hold} if hold else held, o, waiter)

    # What comes in.

    def receive(self, s: _Session, line: bytes) -> None:
        m = _parse(line)
        self.heard, self.silent = _boottime(), False
        if "event" in m:
            self._on_event(s, m)
            return
        r = s.answered(m)
        if r.op == "hello":
            self._on_hello(s, r, m)
        elif r.op == "beat":
            s.beating = False
        elif r.of is not None:
            {"mark": self._on_mark, "step": self._on_step, "check": self._on_check,
             "clear": self._on_clear}[r.op](s, r, r.of, m)
        if not s.marks:
            s.early.clear()
        self._pump(s)

    def _on_event(self, s: _Session, m: Dict[str, Any]) -> None:
        if m["event"] != "revoked":
            return  # a word of a later watchdog
        o = self.book.tokens.get(m["token"])
        if o is not None:
            self._take(o, _text(m.get("reason")))
        elif s.marks:
            s.early[m["token"]] = _text(m.get("reason"))

    def _on_hello(self, s: _Session, r: _Request, m: Dict[str, Any]) -> None:
        s.greet(r, m)
        self.away = False
        self.cadence = min(_MAX_AGAIN, s.lease / 3)
        self.note(logging.INFO, "connected to the watchdog, lease %g s" % s.lease)
        granted = sorted((o for o in self.book.owned if o._token), key=lambda o: o._token)
        self._unsent.extend(granted)
        self._unsent.extend(o for o in self.book.owned if not o._token)
        for o in self._unsent:
            o._queued = True

    def _on_mark(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        if o._phase != _MARKING:  # an event was faster
            return
        error = m.get("error")
        if m["ok"]:
            self._grant(s, o, m.get("token"))
        elif error == "owned":
            owner = m.get("owner")
            o.owner = _text(owner.get("name")) if isinstance(owner, dict) else ""
            self._take(o, "owned")
        elif error == "revoked":
            self._take(o, _text(m.get("reason")))
        elif o._token and error in ("bad-request", "not-owner"):
            # A watchdog that does not know the token has lost its memory: the job is marked afresh, and it decides.
            self.book.tokens.pop(o._token, None)
            o._phase, o._token = _IDLE, 0
            self.send(o)
        elif error in ("bad-request", "not-owner", "forbidden", "too-long", "unknown-op", "unsupported-version"):
            self._refuse(o, _refusal(m))
        elif o._clearing:
            self._drop(o, "cleared")
        else:  # unavailable, overloaded, or a word of a later watchdog
            self._pause(o, _refusal(m))

    def _grant(self, s: _Session, o: Ownership, token: Any) -> None:
        if type(token) is not int or token <= 0 or o._token not in (0, token):
            raise _Nonsense("a mark without its token")
        o._phase, o._token, o._granted, o._why = _HELD, token, True, ""
        self.book.tokens[token] = o
        if token in s.early:
            self._take(o, s.early[token])
            return
        if not o._clearing:
            # Have the watchdog ask the database now what it asks at the first check under a token: so that the
            # finalizer's own, for which it will wait 50 ms at most, need not. This hold is over at once.
            s.ask("check", {"job": o.job, "token": token, "hold_s": 0.001}, o)
        o._settled.tell()
        self.send(o)

    def _on_step(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        if not self._lost_token(o, m) and m.get("error") == "bad-request":
            self.note(logging.WARNING, "the watchdog refused a step of job %s: %s" % (o.job, _refusal(m)))

    def _on_check(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        lost = self._lost_token(o, m)
        if r.waiter is None:
            return
        if lost:
            r.waiter.tell(Answer(REVOKED, o._why))
        elif not m["ok"]:
            r.waiter.tell(self.unknown(o, _refusal(m)))
        else:
            until = r.sent + _span(m.get("hold_s"))
            o._hold_until = max(o._hold_until, until)
            if _boottime() < until:
                r.waiter.tell(Answer(OK, proceed=True, until=until))
            else:
                r.waiter.tell(self.unknown(o, "the hold ran out before its answer came"))

    def _on_clear(self, s: _Session, r: _Request, o: Ownership, m: Dict[str, Any]) -> None:
        self._drop(o, "cleared")

    def _lost_token(self, o: Ownership, m: Dict[str, Any]) -> bool:
        """Act on a reply that says that the token is good no more, and say whether the ownership is over. Where the
        token is only strange to this session it is resumed at the next beat, and that reply tells."""
        if m.get("error") == "revoked":
            self._take(o, _text(m.get("reason")))
        elif m.get("error") == "not-owner" and o._phase == _HELD:
            o._step_new = o._step != ""
            self._pause(o, _refusal(m))
        return o._phase == _OVER

    # What is due, and how a session ends.

    def tick(self, s: _Session) -> float:
        """Do what is due, and return in how many seconds something will be."""
        now = _boottime()
        self.clear_left_behind(now)
        if not s.greeted:
            if now >= s.began + _HELLO_WITHIN:
                s.ended = "it did not answer hello"
            s.flush()
            return max(0.0, min(s.began + _HELLO_WITHIN - now, _SCAN_EVERY))
        if now >= s.next_beat:
            s.next_beat = now + s.beat
            again, self._paused = self._paused, []
            for o in again:
                if o._phase == _PAUSED:
                    o._phase = _IDLE
                    self.send(o)
            if not s.beating:
                s.beating = True
                s.ask("beat", {})
        self._pump(s)
        return max(0.0, min(s.next_beat - now, _SCAN_EVERY if self.book.owned else s.beat))

    def part(self, why: str, failures: int) -> None:
        """Take in that the connection ended or never was. When the next attempt comes at once callers may wait for
        it; else the watchdog is away."""
        greeted = self.session is not None and self.session.greeted
        self.hang_up()
        self._failed_at = _boottime()
        if greeted:
            self.note(logging.WARNING, "lost the watchdog: %s" % why)
        elif failures == 0:
            self.note(logging.INFO, "the watchdog is away: %s" % why)
        if not greeted or failures > 0:
            self.give_up("the watchdog is away")

    def hang_up(self) -> None:
        """What is owned is to be resumed, what was asked is asked again, what was being cleared is left to the lease."""
        s, self.session = self.session, None
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
        for o in list(self.book.owned):
            o._queued = False
            if o._clearing:
                self._drop(o, "cleared")
            else:
                o._phase, o._step_new = _IDLE, o._step != ""


# The link.


class _Link:
    """All that one process has to do with one watchdog. After a fork the child's client has another."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self.bell = _Bell()
        self.talk = _Dialogue(settings, self.bell)
        self.quit = threading.Event()
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._left: Deque[Callable[[], object]] = collections.deque()  # to be done by whoever has the lock next
        self._thread: Optional[threading.Thread] = None

    @property
    def foreign(self) -> bool:
        """Whether it is the parent's, of which this process was forked."""
        return self._pid != os.getpid()

    def __enter__(self) -> "_Link":
        """Take the lock, however long that takes."""
        self._lock.acquire()
        self._catch_up()
        return self

    def __exit__(self, *exc: object) -> None:
        self._release()

    def do(self, work: Callable[[], object], limit: Optional[float] = None) -> None:
        """Do work under the lock, or leave it to whoever has the lock next, where it is not to be had in time. Who has
        it may be the caller itself, interrupted by a signal or by the garbage collector."""
        if not self._lock.acquire(timeout=self.settings.timeout if limit is None else limit):
            self._left.append(work)
            self._take_up()
            return
        try:
            self._catch_up()
            work()
        finally:
            self._release()

    def _release(self) -> None:
        self._lock.release()
        self._take_up()

    def _take_up(self) -> None:
        """Do what was left, unless another has the lock, who will do it then."""
        while self._left and self._lock.acquire(False):
            try:
                self._catch_up()
            finally:
                self._lock.release()

    def _catch_up(self) -> None:
        while self._left:
            try:
                self._left.popleft()()
            except Exception:
                _complain("what a call left undone failed")

    # The halves of a call: what it says, and what it waits for. limit: how long the lock is waited for.

    def begin_mark(self, o: Ownership, shared: bool, limit: Optional[float]) -> Tuple[Ownership, bool]:
        """Have a mark sent, and say whether its answer is worth waiting for."""
        before = self.talk.book.marked.get(_marked_as(o)) if shared else None
        if before is not None and before.run == o.run and before._phase not in (_OVER, _INERT):
            return before, not before._settled.told and self._answers()
        if self.talk.closed:
            raise RuntimeError("the client is closed")
        self.do(lambda: self._enlist(o, shared), limit)
        if self._thread is None:
            self.talk.tell_notes()
        return o, self._answers()

    def _answers(self) -> bool:
        return not self.talk.away and not self.talk.silent

    @_harmless(lambda self, o, *_: _Waiter.knowing(self.talk.unknown(o, "the client failed")))
    def begin_check(self, o: Ownership, hold: Optional[float], patient: bool, limit: Optional[float] = None) -> _Waiter:
        """Have a check sent, unless it is known what would come of it. Who is patient waits for a silent watchdog."""
        if self.foreign:
            return _Waiter.knowing(self.talk.unknown(o, "it was marked before this process was forked"))
        waiter = _Waiter(hold)
        self.do(lambda: self._check(o, waiter, patient), limit)
        return waiter

    def end_check(self, o: Ownership, waiter: _Waiter) -> Answer:
        waiter.left = True
        return self.talk.unknown(o, "the watchdog did not answer in time") if waiter.answer is None else waiter.answer

    @_harmless(lambda self, *_: None)
    def step(self, o: Ownership, name: str, budget: Optional[float], limit: Optional[float] = None) -> None:
        text, until = _cut(name), 0.0
        if budget is not None and 0 < budget <= _MAX_SPAN:
            until = _boottime() + budget
        if text and not self.foreign:
            self.do(lambda: self.talk.step(o, text, until), limit)

    @_harmless(lambda self, *_: (_Waiter.knowing(None), []))
    def begin_clear(self, which: Callable[[], List[Ownership]],
                    limit: Optional[float] = None) -> Tuple[_Waiter, List[Ownership]]:
        """Have clears sent. Once the waiter is told the list holds those whose end is worth waiting for: a process may
        end right after."""
        done = _Waiter()
        sent: List[Ownership] = []

        def clear() -> None:
            cleared = [o for o in which() if self.talk.clear(o)]
            sent.extend([] if self.talk.silent else cleared)
            done.tell()

        if self.foreign:
            done.tell()
        else:
            self.do(clear, limit)
        return done, sent

    def clear(self, which: Callable[[], List[Ownership]]) -> None:
        began = _boottime()
        done, sent = self.begin_clear(which)
        done.wait(self.rest(began, None))
        for o in list(sent):
            self.wait(o._gone, began)

    @_harmless(lambda self, *_: None)
    def adopt(self, o: Ownership, holder: Any, limit: Optional[float] = None) -> None:
        if not self.foreign:
            self.do(lambda: self.talk.book.hand_over(o, holder), limit)

    @_harmless(lambda self, *_: False)
    def is_owned(self, job: Id) -> bool:
        """It needs no lock."""
        s = self.talk.session
        if s is None or not s.greeted or _boottime() >= s.lease_until:
            return False
        return any(o._phase == _HELD and not o._clearing for o in list(self.talk.book.jobs.get(str(job), ())))

    def wait(self, waiter: _Waiter, began: float, limit: Optional[float] = None) -> None:
        """Wait until so long after a call began."""
        waiter.wait(self.rest(began, limit))
        self.waited(waiter, began)

    def rest(self, began: float, limit: Optional[float]) -> float:
        """How many seconds are left of a call."""
        return max(0.0, began + (self.settings.timeout if limit is None else limit) - _boottime())

    def waited(self, waiter: _Waiter, began: float) -> None:
        """If it was in vain spare the next caller the same: until the watchdog is heard of again."""
        if waiter.told or self.talk.heard >= began or self.rest(began, None) > 0.001:
            return
        self.talk.silent = True
        if self.talk.heard >= began:  # just now
            self.talk.silent = False

    def close(self) -> None:
        """Hang up and end the thread."""
        self.talk.closed = True
        self.do(lambda: self.talk.give_up("the client is closed"))
        self.end()

    def end(self) -> None:
        """End the thread."""
        self.talk.closed = True
        self.quit.set()
        self.bell.ring()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        try:
            thread.join(_TAIL_WAIT)
        except RuntimeError:
            pass  # another thread is just about to start it: it will find the client closed

    def abandon(self) -> None:
        """Let go of what is the parent's, in a child. Closing its copies of the sockets ends nothing there; and a lock
        in an event may have been held by a thread that is not here."""
        self.bell.close()
        if self.talk.session is not None:
            self.talk.session.sock.close()
        for o in self.talk.book.owned:
            was, o.revoked = o.revoked, threading.Event()
            if was.is_set():
                o.revoked.set()

    # From here on the caller holds the lock.

    def _enlist(self, o: Ownership, shared: bool) -> None:
        if not self.talk.closed and not o._clearing and o._phase == _IDLE:
            self.talk.enlist(o, shared)
            self._start()
            self.talk.send(o)
            if len(self.talk.book.owned) == 1:
                self.bell.ring()

    def _check(self, o: Ownership, waiter: _Waiter, patient: bool) -> None:
        self._start()
        self.talk.check(o, waiter, patient)

    def _start(self) -> None:
        """See to it that there is a thread while something is owned. Where none is to be had the next call tries again."""
        if self.talk.closed or not self.talk.book.owned or self._thread is not None and self._thread.is_alive():
            return
        if self._thread is not None:
            self.stopped("its thread ended")
        try:
            heard = self.bell.hang()
            self._thread = threading.Thread(target=_Thread(self, heard).run, name="finalizer-liveness", daemon=True)
            self._thread.start()
        except (OSError, RuntimeError) as why:
            self._thread = None
            self.bell.close()
            self.talk.stay_away("no thread can be started, so that nothing is protected: %s" % why)

    def stopped(self, why: str) -> None:
        """Take in that the thread is no more, or will not be."""
        self.talk.hang_up()
        self._thread = None
        self.bell.close()
        if why:
            self.talk.note(logging.ERROR, "the client of the watchdog begins anew: %s" % why)


# The thread.


class _Thread:
    """Reads the replies, beats and connects, as long as the client is open."""

    def __init__(self, link: _Link, wake: sockets.socket) -> None:
        self._link, self._wake = link, wake
        self._failures = 0  # to speak to the watchdog, one after another

    def run(self) -> None:
        link = self._link
        while not link.talk.closed:
            try:
                if self._needed():
                    self._turn()
            except Exception:
                _complain("the client of the watchdog failed; it begins anew")
                link.quit.wait(_SAME_AGAIN)
        with link:
            link.stopped("")

    def _needed(self) -> bool:
        """Wait until something is owned; false once the client is closed."""
        link = self._link
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        while not link.talk.closed:
            with link:
                link.talk.clear_left_behind(_boottime())
                needed = bool(link.talk.book.owned)
            link.talk.tell_notes()
            if needed:
                return True
            poll.poll()
            link.bell.heard()
        return False

    def _turn(self) -> None:
        """Speak on one connection until it ends, and wait until it is time for the next."""
        link = self._link
        began = _boottime()
        why = "an internal error"
        try:
            why = self._serve()
        except Exception:
            _complain("the client of the watchdog failed; it connects anew")
        if link.talk.closed:
            return
        with link:
            if link.talk.session is not None and link.talk.session.greeted and _boottime() - began >= link.talk.cadence:
                self._failures = 0
            link.talk.part(why, self._failures)
        link.talk.tell_notes()
        link.quit.wait(_backoff(self._failures, link.talk.cadence))
        self._failures += 1

    def _serve(self) -> str:
        """Speak on one connection until it ends, and say why it ended."""
        link = self._link
        try:
            sock = _connect(link.settings.socket)
        except (OSError, ValueError) as why:
            return _explain(why)
        s = _Session(sock, _boottime())
        with link:
            link.talk.greet(s)
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(sock, select.POLLIN)
        while not link.talk.closed:
            with link:
                within = link.talk.tick(s)
                poll.modify(sock, select.POLLIN | (select.POLLOUT if s.out else 0))
            link.talk.tell_notes()
            if s.ended:
                break
            ready = dict(poll.poll(within * 1000))
            if self._wake.fileno() in ready:
                link.bell.heard()
            if ready.get(sock.fileno(), 0) & ~select.POLLOUT:
                self._read(s)
        return s.ended

    def _read(self, s: _Session) -> None:
        try:
            data = s.sock.recv(_MAX_REPLY)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as why:
            s.ended = _explain(why)
            return
        with self._link as link:
            try:
                for line in s.lines(data):
                    link.talk.receive(s, line)
            except _Nonsense as why:
                s.ended = str(why)


def _connect(path: str) -> sockets.socket:
    sock = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


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


# The client.


class Client:
    """Speaks to one watchdog. Its methods may be called from any thread, and after a fork.

    socket: the watchdog's socket; default $WATCHDOG_SOCKET, or else /run/watchdog/heartbeat.sock.
    name: of this process, for people; default the host's, which in Kubernetes is the pod's.
    lease: how many seconds the watchdog should bear silence, at least 1; default and most: its setting.
    timeout: how many seconds one call may take.
    on_unknown: what a check makes of not knowing. "stop": do not go on where the watchdog once granted the
        ownership. "proceed": go on, as without a watchdog. Where it never granted it a check always goes on.

    It raises ValueError if one of them is none; the calls never raise.
    """

    def __init__(self, socket: Optional[str] = None, *, name: str = "", lease: Optional[float] = None,
                 timeout: float = 0.05, on_unknown: str = "stop") -> None:
        if on_unknown not in ("stop", "proceed"):
            raise ValueError('on_unknown is %r, not "stop" or "proceed"' % (on_unknown,))
        if lease is not None and not _is_span(lease):
            raise ValueError("lease is %r, not a number of seconds above 0" % (lease,))
        if timeout != 0 and not _is_span(timeout):
            raise ValueError("timeout is %r, not a number of seconds" % (timeout,))
        self._settings = _Settings(socket or os.environ.get("WATCHDOG_SOCKET") or DEFAULT_SOCKET,
                                   _cut(name or sockets.gethostname()), lease, timeout, on_unknown == "proceed")
        self._link = _Link(self._settings)
        _clients.add(self)

    def mark(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
             role: str = "finalizer") -> Ownership:
        """Say that the calling thread finalizes the job from now on, until clear.

        It never raises. If another finalizer has the job, or it was taken from this run, `revoked` of the
        result is set: the caller must not finalize. A thread that marks the same job and run again gets the
        same ownership. key: two marks of one run with one key are the same owner; default: a new one.
        role: "finalizer", or "worker" for the process that runs the agent.
        """
        return self._mark(_Mark(job, run, stage, task, key, role, True))

    def own(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
            role: str = "finalizer") -> Ownership:
        """Mark as mark does, for a with statement: its end clears. Two at once of one job are rivals."""
        return self._mark(_Mark(job, run, stage, task, key, role, False))

    def clear(self, job: Id) -> None:
        """Clear what the calling thread marked of the job or, if that is nothing, what other threads did."""
        link, thread = self._current(), threading.current_thread()
        link.clear(lambda: link.talk.book.marks_of(str(job), thread))

    def is_owned(self, job: Id) -> bool:
        """Whether this process owns the job as far as it knows, without asking: granted, not revoked, and the
        lease has not lapsed by this machine's clock. Before a step that must be done alone, check."""
        return self._current().is_owned(job)

    def close(self) -> None:
        """Hang up and end the thread. What is owned is not cleared: its owner has fallen silent."""
        if not self._link.foreign:
            self._link.close()

    def _mark(self, m: "_Mark") -> Ownership:
        began = _boottime()
        o, wait = self._begin_mark(m, threading.current_thread())
        if wait:
            try:
                o._link.wait(o._settled, began)
            except BaseException:  # of a signal handler: the caller never gets the ownership
                o.clear()
                raise
        return o

    def _begin_mark(self, m: "_Mark", holder: Any, limit: Optional[float] = None) -> Tuple[Ownership, bool]:
        """Have a mark sent, and say whether its answer is worth waiting for."""
        link = self._current()
        o = Ownership(link, "", "", {}, None)
        try:
            o = m.ownership(link, holder)
            return link.begin_mark(o, m.shared, limit)
        except Exception as why:
            o._phase, o._why = _INERT, str(why)
            _say(logging.WARNING, "job %s cannot be marked: %s" % (reprlib.repr(m.job), why))
            return o, False

    def _current(self) -> _Link:
        """The link of this process, also where it was forked in a way that told Python nothing."""
        if self._link.foreign:
            self._forked()
        return self._link

    def _forked(self) -> None:
        old, self._link = self._link, _Link(self._settings)
        self._link.talk.closed = old.talk.closed
        old.abandon()


class _Mark:
    """What a caller says of a job; nothing of it was looked at."""

    def __init__(self, job: Id, run: Id, stage: str, task: str, key: str, role: str, shared: bool) -> None:
        self.job, self.run, self.shared = job, run, shared
        self._fields = {"key": key, "task": task, "stage": stage, "role": role}

    def ownership(self, link: _Link, holder: Any) -> Ownership:
        """Raise if no request can name the job."""
        fields = {name: _cut(text) for name, text in self._fields.items()}
        key = self._fields["key"]
        fields["key"] = uuid.uuid4().hex if key is None or key == "" else str(key)
        o = Ownership(link, _id("job", self.job), _id("run", self.run), fields, holder)
        _fit(o)
        return o


# The same for asyncio.


class AsyncOwnership:
    """An ownership for coroutines of one event loop. Nothing in it blocks the loop."""

    def __init__(self, o: Ownership) -> None:
        self.revoked = asyncio.Event()
        """Set when the job is known to be another's."""
        self._o = o
        self._loop = asyncio.get_running_loop()
        if o.revoked.is_set():
            self.revoked.set()
        else:
            o._link.do(self._listen, 0.0)

    @property
    def job(self) -> str:
        return self._o.job

    @property
    def run(self) -> str:
        return self._o.run

    @property
    def granted(self) -> bool:
        """As Ownership.granted."""
        return self._o.granted

    @property
    def reason(self) -> str:
        """As Ownership.reason."""
        return self._o.reason

    @property
    def owner(self) -> str:
        """As Ownership.owner."""
        return self._o.owner

    def step(self, name: str, budget: Optional[float] = None) -> None:
        """As Ownership.step."""
        self._o._link.step(self._o, name, budget, 0.0)

    async def check(self, hold: Optional[float] = None, timeout: Optional[float] = None) -> Answer:
        """As Ownership.check."""
        began = _boottime()
        waiter = self._o._link.begin_check(self._o, hold, timeout is not None, 0.0)
        await _told(self._o._link, waiter, began, timeout)
        return self._o._link.end_check(self._o, waiter)

    async def clear(self) -> None:
        """As Ownership.clear."""
        await _cleared(self._o._link, lambda: [self._o])

    def adopt(self) -> None:
        """Make the calling task the finalizer."""
        self._o._link.adopt(self._o, _task(), 0.0)

    def _listen(self) -> None:
        self._o._on_revoked.append(self._set)
        if self._o.revoked.is_set():
            self._set()

    def _set(self) -> None:
        _soon(self._loop, self.revoked.set)


class AsyncClient:
    """The calls of a Client as coroutines, over that client's thread and connection. The finalizer is the task that
    calls mark or own, also where another awaits what they return, as in asyncio.wait_for and gather."""

    def __init__(self, client: Optional[Client] = None) -> None:
        self._client = client or default_client()

    def mark(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
             role: str = "finalizer") -> Coroutine[Any, Any, AsyncOwnership]:
        """As Client.mark."""
        return self._mark(_Mark(job, run, stage, task, key, role, True), _task())

    def own(self, job: Id, *, run: Id, stage: str = "", task: str = "", key: str = "",
            role: str = "finalizer") -> "_AsyncOwn":
        """As Client.own, for `async with`."""
        m, task_now = _Mark(job, run, stage, task, key, role, False), _task()
        return _AsyncOwn(lambda: self._mark(m, task_now))

    def clear(self, job: Id) -> Coroutine[Any, Any, None]:
        """As Client.clear."""
        return self._clear(job, _task())

    def is_owned(self, job: Id) -> bool:
        """As Client.is_owned."""
        return self._client.is_owned(job)

    async def _mark(self, m: _Mark, task: Any) -> AsyncOwnership:
        began = _boottime()
        o, wait = self._client._begin_mark(m, task or _task(), 0.0)
        try:
            if wait:
                await _told(o._link, o._settled, began)
            if o._for_loop is None or o._for_loop._loop is not asyncio.get_running_loop():
                o._for_loop = AsyncOwnership(o)
            return o._for_loop
        except BaseException:  # cancelled: the caller never gets the ownership
            o._link.begin_clear(lambda: [o], 0.0)
            raise

    async def _clear(self, job: Id, task: Any) -> None:
        link = self._client._current()
        await _cleared(link, lambda: link.talk.book.marks_of(str(job), task))


class _AsyncOwn:
    """What AsyncClient.own gives to `async with`."""

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, AsyncOwnership]]) -> None:
        self._begin = begin
        self._owned: Optional[AsyncOwnership] = None

    async def __aenter__(self) -> AsyncOwnership:
        self._owned = await self._begin()
        return self._owned

    async def __aexit__(self, *exc: object) -> None:
        if self._owned is not None:
            await self._owned.clear()


def _task() -> Any:
    """The task that runs; None where no loop does."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        pass  # the loop is closed: nobody waits there any more


async def _told(link: _Link, waiter: _Waiter, began: float, limit: Optional[float] = None) -> None:
    """Wait as _Link.wait does."""
    if waiter.told:
        return
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[None]" = loop.create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    link.do(lambda: waiter.then(lambda: _soon(loop, wake)), 0.0)
    await asyncio.wait({future}, timeout=link.rest(began, limit))
    link.waited(waiter, began)


async def _cleared(link: _Link, which: Callable[[], List[Ownership]]) -> None:
    """Clear as _Link.clear does."""
    began = _boottime()
    done, sent = link.begin_clear(which, 0.0)
    await _told(link, done, began)
    for o in list(sent):
        await _told(link, o._gone, began)


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
    if m.get("event") == "revoked" and type(m.get("token")) is not int:
        raise _Nonsense("a revocation without a token")
    return cast(Dict[str, Any], m)


def _is_span(value: Any) -> bool:
    """Whether it is a number of seconds above 0 that the protocol takes."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _MAX_SPAN


def _span(value: Any) -> float:
    return float(value) if _is_span(value) else 0.0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _refusal(m: Dict[str, Any]) -> str:
    return ": ".join(filter(None, (_text(m.get(k)) for k in ("error", "field", "message"))))


def _cut(text: Optional[str]) -> str:
    """Cut a text for people to what the protocol takes, and to whole letters."""
    return "" if text is None else str(text).encode("utf-8", "ignore")[:_MAX_TEXT].decode("utf-8", "ignore")


def _id(what: str, value: Id) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError("its %s is %s, not an integer or a string" % (what, reprlib.repr(value)))
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


# The client of the process.

_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()
_default: Dict[str, Client] = {}


def default_client() -> Client:
    """The client behind the functions of this module; its settings are the defaults of Client."""
    client = _default.get("client")
    # No lock, so that a signal handler may call it at any time; of two clients that were made at once one stays.
    return client if client is not None else _default.setdefault("client", Client())


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
    for client in list(_clients):
        client._forked()


def _exiting() -> None:
    """Let no thread run into an interpreter that is taken apart: it may crash there. Whoever still owns something is
    told by the exit of the process."""
    for client in list(_clients):
        client._link.end()


os.register_at_fork(after_in_child=_forked)
atexit.register(_exiting)
