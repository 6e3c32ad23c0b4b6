import { hostname } from 'node:os';
import { debuglog } from 'node:util';

import { Claim, inert } from './claim.js';
import { cut, describe, id, show, told } from './job.js';
import { Keeper } from './keeper.js';
import { Ownership } from './ownership.js';
import { span } from './wire.js';

const DEFAULT_SOCKET = '/run/watchdog/heartbeat.sock';
const DEFAULT_TIMEOUT = 50;

/** Speaks to one watchdog. The constructor throws where a setting is none; no call throws or rejects. */
export class Client {
  #keeper;
  #log;

  constructor({ socket, name, lease, timeout = DEFAULT_TIMEOUT, onUnknown = 'stop', log } = {}) {
    if (onUnknown !== 'stop' && onUnknown !== 'proceed') throw none({ onUnknown }, "'stop' or 'proceed'");
    if (timeout !== 0 && span(timeout) === undefined) throw none({ timeout }, 'a number of milliseconds');
    if (lease !== undefined && span(lease) === undefined) throw none({ lease }, 'a number of milliseconds above 0');
    this.#log = harmless(log);
    this.#keeper = new Keeper({
      socket: told(socket) || process.env.WATCHDOG_SOCKET || DEFAULT_SOCKET,
      name: cut(told(name) || hostname()),
      lease,
      timeout,
      proceed: onUnknown === 'proceed',
      log: this.#log,
    });
  }

  mark(job, options) {
    return this.#mark(job, options, true);
  }

  async own(job, options, work) {
    if (typeof options === 'function') [options, work] = [undefined, options];
    const owned = await this.#mark(job, options, false);
    if (typeof work !== 'function') return owned;
    try {
      return await work(owned);
    } finally {
      await owned.clear();
    }
  }

  async clear(job) {
    try {
      await this.#keeper.clearJob(id(job));
    } catch (error) {
      this.#keeper.failed(error);
    }
  }

  isOwned(job) {
    try {
      return this.#keeper.isOwned(id(job));
    } catch (error) {
      this.#keeper.failed(error);
      return false;
    }
  }

  close() {
    this.#keeper.close();
  }

  async #mark(job, options, paired) {
    return new Ownership(await this.#claim(job, options, paired), this.#keeper);
  }

  async #claim(job, options, paired) {
    try {
      return await this.#keeper.mark(new Claim(describe(job, options ?? {}), paired));
    } catch (error) {
      const why = show(error);
      this.#log('warn', `job ${show(job)} cannot be marked: ${why}`);
      return inert({ job: '', run: '', fields: {} }, why);
    }
  }
}

function none(setting, right) {
  const [[name, value]] = Object.entries(setting);
  return new TypeError(`${name} is ${show(value)}, not ${right}`);
}

/** A log must not stop a finalizer. Without one NODE_DEBUG=finalizer-liveness shows what it would be told. */
function harmless(log) {
  const tell = typeof log === 'function' ? log : debugLog();
  return (level, message) => {
    try {
      tell(level, message);
    } catch {
      // nobody is left to be told
    }
  };
}

function debugLog() {
  const debug = debuglog('finalizer-liveness');
  return (level, message) => debug('%s: %s', level, message);
}
