import { AsyncResource } from 'node:async_hooks';
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from 'node:timers';

import { Session, unfit } from './session.js';
import { millis, Nonsense, refusal, seconds } from './wire.js';

const HELLO_WITHIN = 2000;
const MAX_AGAIN = 5000; // at least so often an absent watchdog is looked for, whatever its lease was
const MIN_BEAT = 100;

/**
 * Keeps one session up while something is owned: it connects, says hello, beats from one timer and connects again.
 * Nothing in it keeps the process alive.
 *
 * Its owner has, beside what a session's owner has, needed(), greeted(session), beat(session), parted(session) and
 * giveUp(why).
 */
export class Link {
  session = undefined;
  away = false; // waiting for the watchdog is known to be in vain
  silent = false; // a call waited in vain, and nothing was heard since
  heardAt = 0;
  #options;
  #clock;
  #log;
  #owner;
  #closed = false;
  #cadence = MAX_AGAIN;
  #failures = 0;
  #failedAt = -Infinity;
  #timer = undefined; // of the hello, of the beat or of the next attempt
  #waiting = false; // for the next attempt
  // What is begun here outlives the caller's request, and must not keep what async hooks hang on that.
  #outside = new AsyncResource('finalizer-liveness');

  constructor(options, clock, log, owner) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#owner = owner;
  }

  /** The session, once the watchdog said hello on it. */
  get open() {
    return this.session?.greeted ? this.session : undefined;
  }

  /** Something is owned: connect, unless that is being done. */
  need() {
    if (this.#closed || this.session !== undefined || this.#waiting) return;
    if (this.#clock.now() - this.#failedAt > this.#cadence) this.away = this.silent = false; // nobody has tried since
    this.#outside.runInAsyncScope(() => this.#connect());
  }

  close() {
    this.#closed = true;
    this.#stopTimer();
    this.session?.end('the client is closed');
  }

  #connect() {
    const { socket, name, lease } = this.#options;
    const why = unfit(socket);
    if (why) return this.#part(undefined, why);
    try {
      this.session = new Session(socket, this.#clock, this);
    } catch (error) {
      return this.#part(undefined, error.message);
    }
    this.session.ask('hello', { v: 1, name, lease_s: seconds(lease) });
    this.#expectHello(this.session);
  }

  #expectHello(session) {
    const late = () => session.greeted || session.end('it did not answer hello');
    this.#timer = setTimeout(() => setImmediate(late), HELLO_WITHIN).unref();
  }

  // What the session tells.

  event(session, m) {
    this.#heard();
    this.#owner.event(session, m);
  }

  reply(session, request, m) {
    this.#heard();
    if (request.op === 'hello') this.#greeted(session, request, m);
    else if (request.op === 'beat') session.beating = false;
    else this.#owner.reply(session, request, m);
    this.#owner.more(session);
  }

  ended(session, why) {
    this.#guarded(() => this.#part(session, why));
  }

  #heard() {
    this.heardAt = this.#clock.now();
    this.silent = false;
  }

  #greeted(session, request, m) {
    const lease = millis(m.lease_s);
    if (!m.ok || lease === 0) throw new Nonsense(`hello was refused: ${refusal(m)}`);
    session.lease = Math.max(1000, lease);
    session.leaseUntil = request.sent + session.lease;
    session.greeted = true;
    const asked = millis(m.beat_s);
    const beat = Math.max(MIN_BEAT, asked > 0 && asked < session.lease ? asked : session.lease / 3);
    this.away = false;
    this.#cadence = Math.min(MAX_AGAIN, session.lease / 3);
    this.#stopTimer();
    this.#timer = setInterval(() => this.#guarded(() => this.#owner.beat(session)), beat).unref();
    this.#log('info', `connected to the watchdog, lease ${session.lease / 1000} s`);
    this.#owner.greeted(session);
  }

  /** The connection ended or never was. When the next attempt comes at once callers may wait for it. */
  #part(session, why) {
    const greeted = session !== undefined && session.greeted;
    this.session = undefined;
    this.#waiting = true; // whatever a log that is told of this begins, there is no second session
    this.#failedAt = this.#clock.now();
    this.#stopTimer();
    if (session !== undefined) this.#owner.parted(session);
    if (this.#closed) return;
    if (greeted) this.#log('warn', `lost the watchdog: ${why}`);
    else if (this.#failures === 0) this.#log('info', `the watchdog is away: ${why}`);
    if (!greeted || this.#failures > 0) {
      this.away = true;
      this.#owner.giveUp('the watchdog is away');
    }
    if (greeted && this.#failedAt - session.began >= this.#cadence) this.#failures = 0;
    this.#again(backoff(this.#failures++, this.#cadence));
  }

  #again(wait) {
    const attempt = () => {
      this.#waiting = false;
      if (!this.#closed && this.#owner.needed()) this.#connect();
    };
    this.#timer = setTimeout(() => this.#guarded(attempt), wait).unref();
  }

  /** A bug in here must not end the caller's process, as an error that a timer throws would. */
  #guarded(work) {
    try {
      work();
    } catch (error) {
      this.#log('error', `the client failed: ${error.stack}`);
      this.session?.end('the client failed');
    }
  }

  #stopTimer() {
    clearTimeout(this.#timer);
    clearInterval(this.#timer);
  }
}

/**
 * How long to wait after so many failures before: hardly at all at first, then twice as long each time, and never the
 * same for two clients.
 */
export function backoff(failures, most) {
  if (failures === 0) return Math.random() * 5;
  return Math.min(most, 50 * 2 ** Math.min(failures - 1, 20)) * (0.5 + Math.random() / 2);
}
