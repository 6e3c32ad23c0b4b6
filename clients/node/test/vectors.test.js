// The shared conversations of tests/protocol, spoken to the built watchdog with the client's own coding of lines, and
// the answers of tests/protocol/client, given to the client by a watchdog that speaks from them.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { encode } from '../src/wire.js';
import { ROOT } from './support/database.js';
import { client, Watchdog } from './support/watchdog.js';
import { scripted } from './support/fake.js';
import { PATIENT, sleep, until } from './support/time.js';
import { Wire } from './support/wire.js';

const VECTORS = new URL('tests/protocol/', ROOT);

const read = (name) =>
  readFileSync(new URL(name, VECTORS), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** The cases of a file: each its head and the lines that follow it. */
function conversations(name) {
  const cases = [];
  for (const line of read(name)) {
    if ('case' in line) cases.push({ head: line, lines: [] });
    else cases.at(-1).lines.push(line);
  }
  return cases;
}

/** One conversation: its connections by name, and what its variables stand for. */
class Talk {
  #path;
  #peers = new Map();
  #variables = new Map();

  constructor(path) {
    this.#path = path;
  }

  async run(line) {
    if (line.differ) {
      assert.notDeepEqual(...line.differ.map((name) => this.#variables.get(name)));
      return;
    }
    const peer = await this.#peer(line.on ?? 'a');
    if (line.send) {
      await peer.write(encode(Object.fromEntries(Object.entries(line.send).map(([k, v]) => [k, this.#filled(v)]))));
    } else if ('raw' in line || 'hex' in line) {
      const data = 'raw' in line ? Buffer.from(line.raw.repeat(line.times ?? 1)) : Buffer.from(line.hex, 'hex');
      await peer.write(line.open ? data : Buffer.concat([data, Buffer.from('\n')]));
    } else if (line.hangup) {
      await this.#hangUp(line.on ?? 'a');
    } else if (line.closed) {
      assert.equal(await peer.hear(), undefined);
    } else {
      this.#hear(line, await peer.hear());
    }
  }

  #hear(line, message) {
    assert.ok(message, `it hung up before ${JSON.stringify(line)}`);
    const { '...': open, ...wanted } = line.reply ?? line.event;
    assert.equal('event' in message, 'event' in line, JSON.stringify(message));
    const names = Object.keys(message).filter((name) => name !== 'message' || 'message' in wanted);
    if (!open) assert.deepEqual(names.sort(), Object.keys(wanted).sort(), JSON.stringify(message));
    for (const [name, value] of Object.entries(wanted)) this.#match(value, message[name]);
  }

  #match(wanted, found) {
    if (wanted !== null && typeof wanted === 'object') {
      assert.deepEqual(Object.keys(found).sort(), Object.keys(wanted).sort());
      for (const [name, value] of Object.entries(wanted)) this.#match(value, found[name]);
    } else if (typeof wanted !== 'string' || !wanted.startsWith('$')) {
      assert.deepEqual(found, wanted);
    } else if (wanted !== '$_') {
      if (!this.#variables.has(wanted)) this.#variables.set(wanted, found);
      assert.deepEqual(found, this.#variables.get(wanted));
    }
  }

  #filled(value) {
    return this.#variables.get(value) ?? value;
  }

  async #peer(name) {
    if (!this.#peers.has(name)) this.#peers.set(name, await Wire.connect(this.#path));
    return this.#peers.get(name);
  }

  async #hangUp(name) {
    this.#peers.get(name).close();
    this.#peers.delete(name);
    await sleep(20); // the watchdog is to see it before what comes next
  }

  close() {
    for (const peer of this.#peers.values()) peer.close();
  }
}

test('conversations', async (t) => {
  const watchdog = await Watchdog.start({
    WATCHDOG_HEARTBEAT_LEASE: '15s',
    WATCHDOG_CHECK_HOLD: '30s',
    WATCHDOG_REAPER_FINALIZE_GRACE: '2m',
  });
  t.after(() => watchdog.close());
  let count = 0;
  for (const name of readdirSync(VECTORS).filter((file) => file.endsWith('.jsonl'))) {
    for (const { head, lines } of conversations(name)) {
      await t.test(`${name}: ${head.case}`, async () => {
        for (const { job, run, status } of head.rows ?? []) await watchdog.database.job(job, { run, status });
        const talk = new Talk(watchdog.socket);
        try {
          for (const line of lines) await talk.run(line);
        } finally {
          talk.close();
        }
      });
      count++;
    }
  }
  t.diagnostic(`${count} conversations`);
  assert.ok(count > 100);
});

const raw = (answer) => {
  if (Array.isArray(answer)) return answer.map(raw);
  return answer?.raw === undefined ? answer : answer.raw.repeat(answer.times ?? 1);
};

test('answers', async (t) => {
  const cases = read('client/answers.jsonl');
  for (const wanted of cases) {
    await t.test(wanted.case, async (t) => {
      const said = Object.entries(wanted.answers).map(([op, answer]) => [op, [raw(answer)]]);
      const { fake } = await scripted(t, Object.fromEntries(said));
      const silent = Object.values(wanted.answers).includes(null);
      const o = await client(t, fake, { timeout: silent ? 300 : PATIENT }).own(1, { run: 2 });
      if (wanted.granted) await until(() => o.granted, 'it is granted');
      assert.equal(o.granted, wanted.granted, o.reason);
      // What a later check finds revoked may be known before it.
      if (wanted.revoked || wanted.check !== 'revoked') assert.equal(o.revoked.aborted, wanted.revoked, o.reason);
      const answer = await o.check();
      assert.equal(answer.state, wanted.check, answer.reason);
      if (wanted.reason) assert.equal(answer.reason, wanted.reason);
    });
  }
  t.diagnostic(`${cases.length} answers`);
  assert.ok(cases.length > 30);
});
