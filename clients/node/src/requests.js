import { Phase } from './claim.js';

const LEAST_BUDGET = 1;

/** Makes requests of what the claims have to say, as far as the session has room for them. */
export function say(session, book, clock) {
  for (const claim of book.unsent) {
    if (!session.room) return;
    book.unsent.delete(claim);
    if (claim.phase === Phase.idle) mark(session, claim);
    else if (claim.phase === Phase.held) sayHeld(session, claim, clock);
  }
}

function mark(session, claim) {
  claim.phase = Phase.marking;
  const resumed = claim.token ? { token: claim.token } : {};
  session.ask('mark', { job: claim.job, run: claim.run, ...claim.fields, ...resumed }, claim);
}

function sayHeld(session, claim, clock) {
  const held = { job: claim.job, token: claim.token };
  if (claim.clearing) {
    claim.phase = Phase.over;
    session.ask('clear', held, claim);
    return;
  }
  if (claim.stepNew) {
    claim.stepNew = false;
    const { name, until } = claim.step;
    const left = until === undefined ? undefined : Math.max(LEAST_BUDGET, until - clock.now()) / 1000;
    session.ask('step', { ...held, step: name, budget_s: left }, claim);
  }
  for (const waiter of claim.checks.splice(0)) {
    session.ask('check', { ...held, hold_s: waiter.hold }, claim, waiter);
  }
}

/**
 * Has the watchdog ask the database now what it asks at the first check under a token: so that the finalizer's own,
 * for which it will wait 50 ms at most, need not. The hold that comes with it is over at once.
 */
export function confirm(session, claim) {
  if (!claim.clearing) session.ask('check', { job: claim.job, token: claim.token, hold_s: 0.001 }, claim);
}
