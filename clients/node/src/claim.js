import { Waiter } from './waiter.js';

/** What an ownership is at the watchdog, as far as this session knows. */
export const Phase = Object.freeze({
  idle: 'idle', // to be marked or resumed
  marking: 'marking', // asked for
  held: 'held', // granted
  paused: 'paused', // refused for now: asked for again at the next beat
  inert: 'inert', // refused for good, for no fault of another: it does nothing
  over: 'over', // revoked, owned by another, or cleared
});

/** One ownership from mark to clear: what is known of it and what is still to be said. It decides nothing. */
export class Claim {
  phase = Phase.idle;
  token = 0; // 0: not granted yet
  granted = false;
  owners = 1; // marks under one key share it: it is cleared with the last
  taken = false; // it is known to be another's
  clearing = false;
  why = ''; // it is paused, inert or over
  owner = ''; // the session that has the job instead
  step = undefined; // { name, until }
  stepNew = false;
  checks = []; // waiters of checks that are not sent yet
  settled = new Waiter(); // told once the answer to the mark is known, or none is to be expected
  gone = new Waiter(); // told once the clear was taken in, or nothing is left to clear
  #life = undefined;

  /** paired: it was marked by job, and is cleared by job. */
  constructor({ job, run, fields }, paired) {
    this.job = job;
    this.run = run;
    this.fields = fields;
    this.paired = paired;
  }

  /** Aborted once the claim is taken. Made when first asked for: most claims end without anybody listening. */
  get revoked() {
    if (this.#life === undefined) {
      this.#life = new AbortController();
      this.tellRevoked();
    }
    return this.#life.signal;
  }

  /** Whether a mark of the other is one of the same owner. */
  same({ job, run, fields }) {
    const worker = (role) => role === 'worker';
    const alike = this.job === job && this.run === run && this.fields.key === fields.key;
    return alike && worker(this.fields.role) === worker(fields.role);
  }

  tellRevoked() {
    if (!this.taken || this.#life === undefined) return;
    const error = new Error(`job ${this.job} was revoked: ${this.why}`);
    error.name = 'RevokedError';
    this.#life.abort(error);
  }
}

/** A claim on a job that no request can name, or of a client that is closed. */
export function inert(described, why) {
  const claim = new Claim(described, false);
  claim.phase = Phase.inert;
  claim.why = why;
  return claim;
}
