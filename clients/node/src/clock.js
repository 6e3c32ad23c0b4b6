// The time since the machine started, suspension included, which no one can set. Node offers no CLOCK_BOOTTIME,
// and its steady clocks stand still while the machine is suspended: a hold would seem to run on after it is over. But
// os.uptime reads /proc/uptime, which is CLOCK_BOOTTIME in hundredths of a second.

import os from 'node:os';
import { performance } from 'node:perf_hooks';

/** How many milliseconds BootClock may take a span for too short: what /proc/uptime leaves off. */
export const GRAIN = 10;

export class BootClock {
  #ahead = -Infinity;

  /** Milliseconds since the machine started, as fine as the steady clock that counts between suspensions. */
  now() {
    const steady = performance.now();
    // The difference only grows: by a suspension, and towards what the coarse clock leaves off.
    this.#ahead = Math.max(this.#ahead, coarse() - steady);
    return steady + this.#ahead;
  }
}

/** The wall clock stands in where there is no /proc: set forward it ends leases early, set back it changes nothing. */
function coarse() {
  try {
    return os.uptime() * 1000;
  } catch {
    return Date.now();
  }
}
