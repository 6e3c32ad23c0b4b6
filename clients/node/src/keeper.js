import { revoked } from './answer.js';
import { Book } from './book.js';
import { inert, Phase } from './claim.js';
import { BootClock } from './clock.js';
import { show } from './job.js';
import { Link } from './link.js';
import { Replies } from './replies.js';
import { say } from './requests.js';
import { Waiter } from './waiter.js';
import { seconds, span } from './wire.js';

const SAME_AGAIN = 1000;

/** Keeps the claims of a client with the watchdog: what callers say and ask, and who waits for what. */
export class Keeper {
  #timeout;
  #log;
  #clock = new BootClock();
  #book;
  #link;
  #replies;
  #closed = false;
  #failedAt = -Infinity;

  constructor({ socket, name, lease, timeout, proceed, log }) {
    this.#timeout = timeout;
    this.#log = log;
    this.#book = new Book(proceed, log);
    this.#replies = new Replies(this.#book, this.#clock, log);
    this.#link = new Link({ socket, name, lease }, this.#clock, log, this);
  }

  // What callers ask for.

  /** Has the claim marked, or one that is the same owner, and waits for what the watchdog says. */
  async mark(claim) {
    const same = this.#book.ofJob(claim.job).find((other) => other.phase !== Phase.over && other.same(claim));
    if (same !== undefined) claim = this.#share(same, claim);
    else if (this.#closed) return inert(claim, 'the client is closed');
    else this.#enlist(claim);
    if (!claim.settled.told && !this.#link.away && !this.#link.silent) await this.#wait(claim.settled, this.#timeout);
    return claim;
  }

  #share(claim, { paired }) {
    if (claim.clearing) {
      claim.clearing = false; // its clear is not sent yet, and would clear the new mark
      claim.gone.tell();
      claim.gone = new Waiter();
    }
    claim.owners++;
    claim.paired ||= paired;
    return claim;
  }

  #enlist(claim) {
    this.#book.add(claim);
    this.#link.need();
    this.#send(claim);
  }

  async check(claim, hold, timeout) {
    const known = this.#known(claim, timeout !== undefined);
    if (known !== undefined) return known;
    const waiter = new Waiter();
    waiter.hold = seconds(hold);
    claim.checks.push(waiter);
    this.#send(claim);
    await this.#wait(waiter, timeout ?? this.#timeout);
    if (waiter.told) return waiter.answer;
    waiter.left = true;
    claim.checks = claim.checks.filter((other) => other !== waiter);
    return this.unknown(claim, 'the watchdog did not answer in time');
  }

  step(claim, name, budget) {
    if (name === '') return;
    claim.step = { name, until: span(budget) && this.#clock.now() + budget };
    claim.stepNew = true;
    if (claim.phase === Phase.held) this.#send(claim);
  }

  /** Waits until the watchdog has taken it in: the process may end right after. */
  async clear(claim) {
    if (claim.clearing || claim.phase === Phase.over || claim.phase === Phase.inert) return;
    if (--claim.owners > 0) return;
    claim.clearing = true;
    this.#book.answerAll(claim, revoked('cleared'));
    if (this.#link.session === undefined || (claim.phase !== Phase.marking && claim.phase !== Phase.held)) {
      this.#book.drop(claim, 'cleared');
      return;
    }
    this.#send(claim);
    if (!this.#link.silent) await this.#wait(claim.gone, this.#timeout);
  }

  async clearJob(job) {
    if (this.#book.paid(job)) return;
    await Promise.all(
      this.#book
        .ofJob(job)
        .filter((claim) => claim.paired)
        .map((claim) => this.clear(claim)),
    );
  }

  isOwned(job) {
    const session = this.#link.open;
    if (session === undefined || this.#clock.now() >= session.leaseUntil) return false;
    return this.#book.ofJob(job).some((claim) => claim.phase === Phase.held && !claim.clearing);
  }

  close() {
    this.#closed = true;
    this.#link.close();
    this.giveUp('the client is closed');
  }

  unknown(claim, why) {
    return this.#book.unknown(claim, why);
  }

  /** Takes in that a call cannot be made of what it was given, or that there is a bug in here: it is told now and then. */
  failed(error) {
    const now = this.#clock.now();
    if (now - this.#failedAt < SAME_AGAIN) return;
    this.#failedAt = now;
    this.#log('error', `a call failed: ${show(error)}`);
  }

  /** What can be answered without asking. Patient callers wait for a watchdog that is silent now. */
  #known(claim, patient) {
    if (claim.clearing) return revoked('cleared');
    if (claim.phase === Phase.over) return revoked(claim.why);
    if (claim.phase === Phase.inert || claim.phase === Phase.paused) return this.unknown(claim, claim.why);
    if (this.#closed) return this.unknown(claim, 'the client is closed');
    if (this.#link.away && this.#link.session === undefined) return this.unknown(claim, 'the watchdog is away');
    if (this.#link.silent && !patient) return this.unknown(claim, 'the watchdog does not answer');
    return undefined;
  }

  /** Sees to it that what the claim has to say is said. A new session looks at all. */
  #send(claim) {
    const session = this.#link.open;
    if (session === undefined) return;
    this.#book.unsent.add(claim);
    say(session, this.#book, this.#clock);
  }

  /** Waits, and if it was in vain spares the next caller the same: until the watchdog is heard of again. */
  async #wait(waiter, limit) {
    const began = this.#clock.now();
    await waiter.within(limit);
    if (!waiter.told && this.#link.heardAt < began) this.#link.silent = true;
  }

  // What the link asks and tells.

  needed() {
    return this.#book.claims.size > 0;
  }

  greeted(session) {
    this.#book.resume();
    say(session, this.#book, this.#clock);
  }

  event(session, m) {
    this.#replies.event(session, m);
  }

  reply(session, request, m) {
    this.#replies.reply(session, request, m);
  }

  more(session) {
    say(session, this.#book, this.#clock);
  }

  beat(session) {
    for (const claim of this.#book.paused) this.#book.renew(claim);
    this.#book.paused.clear();
    if (!session.beating) {
      session.beating = true;
      session.ask('beat');
    }
    say(session, this.#book, this.#clock);
  }

  /** What was asked on the session and waits for its answer is asked again. */
  parted(session) {
    for (const { claim, waiter } of session.unanswered()) {
      if (waiter === undefined || waiter.told || waiter.left) continue;
      if (claim.phase === Phase.over || claim.clearing) waiter.tell(revoked(claim.why || 'cleared'));
      else claim.checks.push(waiter);
    }
    this.#book.part();
    if (this.#closed) this.giveUp('the client is closed');
  }

  giveUp(why) {
    this.#book.giveUp(why);
  }
}
