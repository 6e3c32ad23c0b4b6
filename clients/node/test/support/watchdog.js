import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { Client } from '../../src/index.js';
import { Database, ROOT } from './database.js';
import { PATIENT, until } from './time.js';
import { Wire } from './wire.js';

const SETTINGS = {
  WATCHDOG_LISTEN: '127.0.0.1:0',
  WATCHDOG_HEARTBEAT_LEASE: '1s',
  WATCHDOG_REAPER_INTERVAL: '100ms',
  WATCHDOG_REAPER_FINALIZE_GRACE: '5m', // Database.age goes past it,
  WATCHDOG_REAPER_CEILING: '10m',
  WATCHDOG_CHECK_HOLD: '2s',
};

export const folder = () => mkdtempSync('/tmp/wd');

/** The watchdog of $WATCHDOG_BINARY, or else one that is built from this tree. */
function binary() {
  if (process.env.WATCHDOG_BINARY === undefined) {
    const path = join(mkdtempSync('/tmp/wdbin'), 'watchdog');
    const env = { ...process.env, CGO_ENABLED: '0' };
    execFileSync('go', ['build', '-o', path, './cmd/watchdog'], { cwd: ROOT, env, stdio: 'inherit' });
    process.env.WATCHDOG_BINARY = path;
  }
  return process.env.WATCHDOG_BINARY;
}

/** The built watchdog over a database of its own. */
export class Watchdog {
  process = undefined;
  #folder = folder();
  #env;
  socket = join(this.#folder, 's');

  static async start(settings = {}) {
    const watchdog = new Watchdog();
    watchdog.database = await Database.create(join(watchdog.#folder, 'db'));
    const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('WATCHDOG_'));
    watchdog.#env = {
      ...Object.fromEntries(ours),
      ...SETTINGS,
      WATCHDOG_SOCKET: watchdog.socket,
      WATCHDOG_DATABASE_URL: 'sqlite:' + join(watchdog.#folder, 'db'),
      ...settings,
    };
    await watchdog.start();
    return watchdog;
  }

  async start() {
    const log = openSync(join(this.#folder, 'log'), 'a');
    this.process = spawn(binary(), ['serve'], { env: this.#env, stdio: ['ignore', log, log] });
    process.once('exit', () => this.process.kill('SIGKILL')); // also when a test failed before it could
    await until(() => this.#answers(), 'the watchdog answers').catch((error) => {
      throw new Error(this.logged(), { cause: error });
    });
  }

  async #answers() {
    try {
      const wire = await Wire.connect(this.socket);
      const { ok } = await wire.ask({ op: 'status' });
      wire.close();
      return ok;
    } catch {
      return false;
    }
  }

  logged() {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  async kill() {
    const ended = once(this.process, 'exit');
    if (this.process.kill('SIGKILL')) await ended;
  }

  async close() {
    await this.kill();
    this.database.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A client of a watchdog or a fake, closed when the test ends. Its calls wait long: the machine may be busy. */
export function client(t, { socket }, options = {}) {
  const made = new Client({ socket, timeout: PATIENT, ...options });
  t.after(() => made.close());
  return made;
}
