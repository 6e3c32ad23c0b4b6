import { revoked } from './answer.js';
import { cut, told } from './job.js';

/** One job that this process finalizes, from mark to clear. None of its methods throws or rejects. */
export class Ownership {
  #claim;
  #keeper;
  #cleared = false;

  constructor(claim, keeper) {
    this.#claim = claim;
    this.#keeper = keeper;
  }

  get job() {
    return this.#claim.job;
  }

  get run() {
    return this.#claim.run;
  }

  get granted() {
    return this.#claim.granted;
  }

  get reason() {
    return this.#claim.why;
  }

  get owner() {
    return this.#claim.owner;
  }

  get revoked() {
    return this.#claim.revoked;
  }

  step(name, options) {
    try {
      this.#keeper.step(this.#claim, cut(told(name)), options?.budget);
    } catch (error) {
      this.#keeper.failed(error);
    }
  }

  async check(options) {
    try {
      if (this.#cleared) return revoked('cleared');
      const timeout = typeof options?.timeout === 'number' ? Math.max(0, options.timeout) : undefined;
      return await this.#keeper.check(this.#claim, options?.hold, timeout);
    } catch (error) {
      this.#keeper.failed(error);
      return this.#keeper.unknown(this.#claim, 'the client failed');
    }
  }

  async clear() {
    if (this.#cleared) return;
    this.#cleared = true;
    try {
      await this.#keeper.clear(this.#claim);
    } catch (error) {
      this.#keeper.failed(error);
    }
  }
}

// What `await using` calls, where the runtime has it.
if (Symbol.asyncDispose !== undefined) {
  Object.defineProperty(Ownership.prototype, Symbol.asyncDispose, {
    value: function dispose() {
      return this.clear();
    },
  });
}
