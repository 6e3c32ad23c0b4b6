import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { client, folder } from './watchdog.js';

/** A socket whose every connection a function serves: it is called with the connection. */
export class Fake {
  connections = 0;
  #folder = folder();
  #open = new Set();
  #server;
  socket = join(this.#folder, 's');

  static async serve(t, serve) {
    const fake = new Fake();
    fake.#server = createServer((conn) => {
      fake.connections++;
      fake.#open.add(conn);
      conn.on('error', () => {}).on('close', () => fake.#open.delete(conn));
      serve(conn);
    });
    await new Promise((resolve) => fake.#server.listen(fake.socket, resolve));
    t.after(() => fake.close());
    return fake;
  }

  hangUp() {
    for (const conn of this.#open) conn.destroy();
  }

  close() {
    this.#server.close();
    this.hangUp();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Serves by accepting, and never answering. */
export const hang = (conn) => conn.resume();

/**
 * A watchdog that answers each op with the next of its answers, the last one again and again.
 *
 * An answer is an object, to which the request's id is added unless it has one; a string is sent as it is; an array is
 * several of these; null is silence; a function gives one of these when asked.
 */
export class Script {
  requests = [];
  #answers;

  constructor(answers = {}) {
    this.#answers = {
      hello: [{ ok: true, v: 1, session: 's', lease_s: 60, beat_s: 1 }],
      beat: [{ ok: true }],
      mark: [{ ok: true, token: 42 }],
      check: [{ ok: true, hold_s: 30 }],
      step: [{ ok: true }],
      clear: [{ ok: true }],
      ...answers,
    };
  }

  /** Serves a connection, and hangs up after so many requests. */
  serve = (conn, most = Infinity) => {
    let served = 0;
    const lines = createInterface({ input: conn }).on('error', () => {});
    lines.on('line', (line) => {
      if (served === most) return;
      const request = JSON.parse(line);
      this.requests.push(request);
      const left = this.#answers[request.op];
      const answer = left.length > 1 ? left.shift() : left[0];
      for (const said of Array.isArray(answer) ? answer : [answer]) conn.write(spoken(said, request));
      if (++served === most) conn.end();
    });
  };

  asked(op) {
    return this.requests.filter((request) => request.op === op);
  }
}

function spoken(said, { id }) {
  if (typeof said === 'function') said = said();
  if (said === null) return '';
  if (typeof said === 'string') return said;
  return JSON.stringify('event' in said ? said : { id, ...said }) + '\n';
}

/** A fake that answers by a script, and the script. */
export async function scripted(t, answers) {
  const script = new Script(answers);
  return { script, fake: await Fake.serve(t, (conn) => script.serve(conn)) };
}

/** The same, and a client of it. */
export async function served(t, answers, options) {
  const { script, fake } = await scripted(t, answers);
  return { script, fake, liveness: client(t, fake, { name: 'orchestrator-0', ...options }) };
}

/** So many grants, each with a token of its own. */
export const tokens = (n) => Array.from({ length: n }, (_, i) => ({ ok: true, token: i + 1 }));
