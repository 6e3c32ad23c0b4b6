import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/** Milliseconds that a call may take in a test of what is answered, not when: the machine may be busy. */
export const PATIENT = 60_000;

/** Waits until seen() gives something, and returns that. */
export async function until(seen, what, within = 60_000) {
  const end = performance.now() + within;
  for (;;) {
    const found = await seen();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await sleep(5);
  }
}

/** A machine that is busy for a moment fails no test: what is slow by itself is slow each time. */
export async function calmly(body) {
  for (let tries = 20; ; tries--) {
    try {
      return await body();
    } catch (error) {
      if (tries === 1) throw error;
    }
  }
}

/** Has the machine be suspended: the boot clock goes on by so many seconds, the steady clocks do not. */
export function suspendable(t) {
  const uptime = os.uptime;
  let asleep = 0;
  t.mock.method(os, 'uptime', () => uptime() + asleep);
  return (seconds) => (asleep += seconds);
}

/** How many milliseconds a call took. */
export async function spent(call) {
  const began = performance.now();
  await call();
  return performance.now() - began;
}

/** Blocks the event loop, as a finalizer's own code may. */
export function block(span) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, span);
}
