import { Answer, revoked } from './answer.js';
import { Phase } from './claim.js';

const MAX_OWED = 1000;

/** All that this process owns, and the ways in which an ownership changes. It does no I/O. */
export class Book {
  claims = new Set();
  unsent = new Set(); // those with something to say
  paused = new Set(); // those in Phase.paused
  #byJob = new Map(); // job: set of claims
  #byToken = new Map();
  #owed = new Map(); // job: clears by job that have nothing to clear, for what they would was refused or revoked
  #proceed;
  #log;

  constructor(proceed, log) {
    this.#proceed = proceed;
    this.#log = log;
  }

  add(claim) {
    this.claims.add(claim);
    const ofJob = this.#byJob.get(claim.job);
    if (ofJob === undefined) this.#byJob.set(claim.job, new Set([claim]));
    else ofJob.add(claim);
  }

  ofJob(job) {
    return [...(this.#byJob.get(job) ?? [])];
  }

  ofToken(token) {
    return this.#byToken.get(token);
  }

  /** What is known where nobody could say: the caller's policy decides, unless there never was any protection. */
  unknown(claim, reason) {
    return new Answer('unknown', { reason, proceed: !claim.granted || this.#proceed });
  }

  grant(claim, token) {
    claim.phase = Phase.held;
    claim.token = token;
    claim.granted = true;
    claim.why = '';
    this.#byToken.set(token, claim);
  }

  /** It is to be marked again, or under its token resumed. */
  renew(claim) {
    claim.phase = Phase.idle;
    claim.stepNew = claim.step !== undefined;
    this.unsent.add(claim);
  }

  /** A watchdog that does not know the token has lost its memory: the job is marked afresh, and it decides. */
  disown(claim) {
    this.#byToken.delete(claim.token);
    claim.token = 0;
    this.renew(claim);
  }

  /** Refused for now. */
  pause(claim, why) {
    claim.phase = Phase.paused;
    claim.why = why;
    this.paused.add(claim);
    this.answerAll(claim, this.unknown(claim, why));
    claim.settled.tell();
  }

  /** Refused for good, for no fault of another. */
  refuse(claim, why) {
    this.#forget(claim);
    claim.phase = Phase.inert;
    claim.why = why;
    this.answerAll(claim, this.unknown(claim, why));
    claim.settled.tell();
    claim.gone.tell();
    this.#log('warn', `the watchdog refused to mark job ${claim.job}: ${why}`);
  }

  /** It is another's by now. */
  take(claim, why) {
    if (claim.phase === Phase.over) return;
    this.drop(claim, why);
    if (claim.clearing) return;
    if (claim.paired) this.#owe(claim.job);
    claim.taken = true;
    this.answerAll(claim, revoked(why));
    claim.tellRevoked();
    this.#log('warn', `job ${claim.job} was revoked from this process: ${why}`);
  }

  /** Nothing of it is left to say. */
  drop(claim, why) {
    this.#forget(claim);
    claim.phase = Phase.over;
    claim.why = why;
    claim.settled.tell();
    claim.gone.tell();
  }

  answerAll(claim, answer) {
    for (const waiter of claim.checks.splice(0)) waiter.tell(answer);
  }

  /** Nobody is to wait for a watchdog that does not come. */
  giveUp(why) {
    for (const claim of this.claims) {
      claim.settled.tell();
      this.answerAll(claim, this.unknown(claim, why));
    }
  }

  /** The session ended: what is owned is to be resumed, what was being cleared is left to the lease. */
  part() {
    this.unsent.clear();
    this.paused.clear();
    for (const claim of this.claims) {
      if (claim.clearing) this.drop(claim, 'cleared');
      else this.renew(claim);
    }
  }

  /** Has all be said that is owned, what was granted before first. */
  resume() {
    const granted = [...this.claims].filter((claim) => claim.token).sort((a, b) => a.token - b.token);
    this.unsent = new Set([...granted, ...this.claims]);
  }

  /** Says whether a clear by job has nothing to clear, and counts it. */
  paid(job) {
    const owed = this.#owed.get(job) ?? 0;
    if (owed > 1) this.#owed.set(job, owed - 1);
    else this.#owed.delete(job);
    return owed > 0;
  }

  #owe(job) {
    this.#owed.set(job, (this.#owed.get(job) ?? 0) + 1);
    if (this.#owed.size > MAX_OWED) this.#owed.delete(this.#owed.keys().next().value); // its clear never came
  }

  #forget(claim) {
    this.claims.delete(claim);
    this.unsent.delete(claim);
    this.paused.delete(claim);
    const ofJob = this.#byJob.get(claim.job);
    if (ofJob?.delete(claim) && ofJob.size === 0) this.#byJob.delete(claim.job);
    if (this.#byToken.get(claim.token) === claim) this.#byToken.delete(claim.token);
  }
}
