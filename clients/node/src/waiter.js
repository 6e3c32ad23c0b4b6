import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

const LONGEST = 2 ** 31 - 1; // milliseconds that a timer takes

/** An answer that callers wait for. */
export class Waiter {
  told = false;
  answer = undefined;
  left = false; // nobody waits any more
  #waiting = new Set();

  tell(answer) {
    if (this.told) return;
    this.told = true;
    this.answer = answer;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when told, or after so many milliseconds. Meanwhile it keeps the process alive. */
  within(limit) {
    if (this.told) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      // After a blocked event loop timers come first: what the socket holds is read before the wait is in vain.
      const timer = setTimeout(() => setImmediate(wake), Math.min(limit, LONGEST));
      this.#waiting.add(wake);
    });
  }
}
