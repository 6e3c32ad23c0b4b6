/** What a check found. */
export class Answer {
  #clock;
  #until;

  /** until: the end of the hold on the clock; without one there is no hold. */
  constructor(state, { reason = '', proceed = false, until, clock } = {}) {
    this.state = state;
    this.reason = reason;
    this.proceed = proceed;
    this.#until = until;
    this.#clock = clock;
  }

  remaining() {
    return this.#until === undefined ? 0 : Math.max(0, this.#until - this.#clock.now());
  }
}

export const revoked = (reason) => new Answer('revoked', { reason });
