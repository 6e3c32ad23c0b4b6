import { Answer, revoked } from './answer.js';
import { Phase } from './claim.js';
import { confirm } from './requests.js';
import { millis, Nonsense, refusal, text } from './wire.js';

const FOR_GOOD = new Set(['bad-request', 'not-owner', 'forbidden', 'too-long', 'unknown-op', 'unsupported-version']);
const FORGOTTEN = new Set(['bad-request', 'not-owner']); // of a token

/** Takes in what the watchdog says of claims. */
export class Replies {
  #book;
  #clock;
  #log;

  constructor(book, clock, log) {
    this.#book = book;
    this.#clock = clock;
    this.#log = log;
  }

  event(session, m) {
    if (m.event !== 'revoked') return;
    const claim = this.#book.ofToken(m.token);
    if (claim !== undefined) this.#book.take(claim, text(m.reason));
    else if (session.marks > 0) session.early.set(m.token, text(m.reason));
  }

  reply(session, request, m) {
    if (request.op === 'mark') this.#mark(session, request.claim, m);
    else if (request.op === 'clear') this.#book.drop(request.claim, 'cleared');
    else if (request.op === 'step') this.#step(request.claim, m);
    else this.#check(request, m);
  }

  #mark(session, claim, m) {
    if (claim.phase !== Phase.marking) return; // an event was faster
    if (m.ok) return this.#granted(session, claim, m.token);
    if (m.error === 'owned') {
      claim.owner = text(m.owner?.name);
      return this.#book.take(claim, 'owned');
    }
    if (m.error === 'revoked') return this.#book.take(claim, text(m.reason));
    if (claim.token && FORGOTTEN.has(m.error)) return this.#book.disown(claim);
    if (FOR_GOOD.has(m.error)) return this.#book.refuse(claim, refusal(m));
    if (claim.clearing) return this.#book.drop(claim, 'cleared');
    this.#book.pause(claim, refusal(m)); // unavailable, overloaded, or a word of a later watchdog
  }

  #granted(session, claim, token) {
    const another = claim.token !== 0 && token !== claim.token;
    if (!Number.isSafeInteger(token) || token <= 0 || another) throw new Nonsense('a mark without its token');
    this.#book.grant(claim, token);
    if (session.early.has(token)) return this.#book.take(claim, session.early.get(token));
    confirm(session, claim);
    claim.settled.tell();
    this.#book.unsent.add(claim);
  }

  #step(claim, m) {
    if (!this.#lostToken(claim, m) && m.error === 'bad-request') {
      this.#log('warn', `the watchdog refused a step of job ${claim.job}: ${refusal(m)}`);
    }
  }

  #check({ sent, claim, waiter }, m) {
    const lost = this.#lostToken(claim, m);
    if (waiter === undefined) return;
    if (lost) return waiter.tell(revoked(claim.why));
    if (!m.ok) return waiter.tell(this.#book.unknown(claim, refusal(m)));
    const until = sent + millis(m.hold_s);
    if (this.#clock.now() < until) {
      return waiter.tell(new Answer('ok', { proceed: true, until, clock: this.#clock }));
    }
    waiter.tell(this.#book.unknown(claim, 'the hold ran out before its answer came'));
  }

  /**
   * Acts on a reply that says that the token is good no more, and says whether the claim is over. Where the token is
   * only strange to this session it is resumed at the next beat, and that reply tells.
   */
  #lostToken(claim, m) {
    if (m.error === 'revoked') this.#book.take(claim, text(m.reason));
    else if (m.error === 'not-owner' && claim.phase === Phase.held) this.#book.pause(claim, refusal(m));
    return claim.phase === Phase.over;
  }
}
