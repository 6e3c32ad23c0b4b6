// Settings, arguments and logs that are none: what a caller does to the client.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client } from '../src/index.js';
import { served, tokens } from './support/fake.js';
import { PATIENT, sleep, until } from './support/time.js';

test('settings that are none', () => {
  const bad = { lease: ['15', -1, true, null], timeout: [null, -1, NaN, '50'], onUnknown: ['wait', null] };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values)
      assert.throws(() => new Client({ [name]: value }), new RegExp(`^TypeError: ${name} is `));
  }
  for (const fine of [undefined, {}, { timeout: 0, lease: undefined, onUnknown: undefined, name: 7 }]) new Client(fine);
});

test('a fault of its own is told once a second', async (t) => {
  const logged = [];
  const { liveness } = await served(t, {}, { log: (level) => logged.push(level) });
  const began = performance.now();
  for (let i = 0; i < 200; i++) liveness.isOwned(null);
  assert.ok(logged.filter((level) => level === 'error').length <= 2 + (performance.now() - began) / 1000);
});

test('what no request can name is not marked', async (t) => {
  const logged = [];
  const { script, liveness } = await served(t, {}, { log: (level, text) => logged.push(`${level} ${text}`) });
  const nul = '\0'.repeat(256);
  const bad = [
    ['', 1],
    [1, ''],
    ['x'.repeat(129), 1],
    ['\ud800', 1],
    [1.5, 1],
    [2 ** 53, 1],
    [true, 1],
    [null, 1],
    [{}, 1],
  ];
  for (const [job, run] of [...bad, [1, undefined], [nul.slice(128), nul.slice(128)]]) {
    const o = await liveness.mark(job, { run, task: nul, stage: nul });
    assert.ok(!o.granted && !o.revoked.aborted && o.reason);
    assert.ok((await o.check()).proceed, 'there never was protection');
    o.step('merge');
    await o.clear();
  }
  for (const options of [
    undefined,
    null,
    7,
    {
      get run() {
        throw null;
      },
    },
  ])
    await liveness.mark(1, options);
  assert.equal(logged.filter((line) => /^warn job .* cannot be marked: ./.test(line)).length, 15);
  assert.equal(script.asked('mark').length, 0);
});

test('no argument makes a call throw', async (t) => {
  const { script, liveness } = await served(t, { mark: tokens(99) });
  const { proxy: evil, revoke } = Proxy.revocable({}, {});
  revoke(); // whatever is asked of it throws
  const o = await liveness.mark(1, { run: 2, stage: 7, task: Symbol('task') });
  for (const bad of [undefined, null, 7, -1, NaN, Infinity, 'x', evil, Symbol('s'), [], () => {}]) {
    o.step(bad, bad);
    o.step('merge', { budget: bad });
    await o.check(bad);
    assert.equal((await o.check({ hold: bad, timeout: typeof bad === 'number' ? PATIENT : bad })).state, 'ok');
    await liveness.mark(bad, bad);
    await liveness.own(1, { run: 2, stage: bad, key: bad, role: bad }, bad);
    await liveness.clear(bad);
    liveness.isOwned(bad);
  }
  await o.clear();
  assert.ok(script.asked('check').every((r) => !('hold_s' in r) || r.hold_s === 0.007 || r.hold_s === 0.001));
});

test('a log that throws stops nobody', async (t) => {
  const { liveness } = await served(
    t,
    {},
    {
      log() {
        throw new Error('disk full');
      },
    },
  );
  assert.ok(await liveness.own(1, { run: 2 }, (o) => o.granted));
});

test('a log that calls back begins no second session', async (t) => {
  const told = [];
  const log = (level, text) => told.push(text) < 9 && liveness.own(told.length, { run: 1 });
  const { fake, liveness } = await served(t, {}, { log });
  await liveness.own(0, { run: 1 });
  fake.hangUp();
  await until(() => told.length >= 3, 'it lost the watchdog and connected again');
  await sleep(300);
  assert.equal(fake.connections, 2);
});

test('texts for people are cut to whole letters', async (t) => {
  const { script, liveness } = await served(t);
  await liveness.own(1, { run: 2, task: 'x' + 'é'.repeat(200), stage: 'a\ud800b' }, async (o) => {
    o.step('y'.repeat(300));
    await o.check();
  });
  const [mark] = script.asked('mark');
  assert.deepEqual([mark.task, mark.stage], ['x' + 'é'.repeat(127), 'ab']);
  assert.equal(script.asked('step')[0].step, 'y'.repeat(256));
});
