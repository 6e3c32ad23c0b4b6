// A watchdog that is absent, hangs, talks nonsense, comes, goes and restarts: what it costs a caller.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { Client } from '../src/index.js';
import { backoff } from '../src/link.js';
import { Fake, hang, Script, scripted } from './support/fake.js';
import { calmly, PATIENT, sleep, spent, until } from './support/time.js';
import { folder } from './support/watchdog.js';

const BOUND = 50;
const SLACK = 450; // a busy machine's; every bound here is still far below the next timeout of the client

/** A client with the default timeout. */
function client(t, socket) {
  const made = new Client({ socket });
  t.after(() => made.close());
  return made;
}

function place(t) {
  const made = folder();
  t.after(() => rmSync(made, { recursive: true }));
  return join(made, 's');
}

/** Mark, step, check and clear, each within the bound. */
const calls = (liveness, job, bound) => calmly(() => callsOnce(liveness, job, bound));

async function callsOnce(liveness, job, bound = BOUND + SLACK) {
  let o, answer;
  const within = async (what, call) => {
    const took = await spent(call);
    assert.ok(took < bound, `${what} took ${took} ms`);
  };
  await within('own', async () => (o = await liveness.own(job, { run: 1 })));
  await within('step', () => o.step('merge', { budget: 10 }));
  await within('check', async () => (answer = await o.check()));
  await within('isOwned', () => liveness.isOwned(job));
  await within('clear', () => o.clear());
  assert.equal(answer.state, 'unknown');
}

/** The median of what so many calls, one after the other, took. */
async function median(times, call) {
  const spans = [];
  for (let i = 0; i < times; i++) spans.push(await spent(call));
  return spans.sort((a, b) => a - b)[times >> 1];
}

test('absent', async (t) => {
  const socket = place(t);
  const { liveness, keeper } = await calmly(async () => {
    const liveness = client(t, socket);
    let keeper;
    const first = await spent(async () => (keeper = await liveness.own(0, { run: 1 })));
    assert.ok(first < BOUND * 0.8, `it is not waited for in vain: ${first} ms`);
    return { liveness, keeper };
  });
  await sleep(500); // by now it is looked for more rarely than a call may take
  await calls(liveness, 1, BOUND);
  await calmly(async () => {
    const usual = await median(50, async () => (await liveness.own(2, { run: 1 })).clear());
    assert.ok(usual < BOUND / 5, `nothing is waited for: ${usual} ms`);
  });
  assert.equal((await keeper.check()).reason, 'the watchdog is away');
});

test('a path that is none', async (t) => {
  for (const path of ['/' + 'x'.repeat(200), '\0', '\0abstract', '/', 7, {}]) await calls(client(t, path), 1);
});

test('accepts and never answers', async (t) => {
  const { socket } = await Fake.serve(t, hang);
  const liveness = await calmly(async () => {
    const liveness = client(t, socket);
    const first = await spent(() => liveness.own(0, { run: 1 }));
    assert.ok(first > BOUND * 0.9 && first < BOUND + SLACK, `it might have answered: ${first} ms`);
    return liveness;
  });
  await calmly(async () => {
    const usual = await median(20, () => callsOnce(liveness, 1));
    assert.ok(usual < 30, `only the first call waited: ${usual} ms`);
  });
});

test('neither accepts nor answers', async (t) => {
  const socket = place(t);
  const program = `require('net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
    console.log('listening'); process.kill(process.pid, 'SIGSTOP') })`;
  const listener = spawn(process.execPath, ['-e', program, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => listener.kill('SIGKILL'));
  await once(listener.stdout, 'data');
  const fillers = Array.from({ length: 8 }, () => connect({ path: socket }).on('error', () => {}));
  t.after(() => fillers.forEach((filler) => filler.destroy()));
  await calls(client(t, socket), 1);
});

test('falls silent after the mark', async (t) => {
  const o = await calmly(async () => {
    const { script, fake } = await scripted(t, { check: [{ ok: true, hold_s: 30 }, null] });
    const o = await client(t, fake.socket).own(1, { run: 1 });
    await until(() => script.asked('check').length === 1, 'the ownership is confirmed');
    await sleep(20);
    let answer;
    const first = await spent(async () => (answer = await o.check()));
    assert.ok(first > BOUND * 0.9 && first < BOUND + SLACK, `${first} ms`);
    assert.deepEqual([answer.state, answer.proceed], ['unknown', false], 'it was granted once');
    return o;
  });
  await calmly(async () => assert.ok((await median(9, () => o.check())) < BOUND / 5));
  assert.ok((await spent(() => o.check({ timeout: 200 }))) > 190, 'who asks for more waits');
});

test('nonsense', async (t) => {
  const hello = '{"ok":true,"id":1,"lease_s":3,"beat_s":1}\n';
  const said = [
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    '\n',
    'null\n',
    '[]\n',
    '{}\n',
    '{"ok":"yes"}\n',
    '\xff\xfe\n',
    '['.repeat(60_000) + '\n',
    'x'.repeat(200_000),
    '{"ok":true,"id":7}\n',
    '{"ok":true,"id":1}\n',
    '{"ok":true,"id":1,"lease_s":"15"}\n',
    '{"ok":true,"id":1,"lease_s":NaN}\n',
    '{"ok":true,"id":1,"lease_s":1e300}\n',
    '{"ok":false,"id":1,"error":"overloaded"}\n',
    hello + '{"ok":true,"id":2}\n',
    hello + '{"ok":true,"id":2,"token":-1}\n',
    hello + '{"ok":true,"id":2,"token":"42"}\n',
    hello + '{"ok":true,"id":2,"token":42}\n{"ok":true}\n',
    hello + '{"event":"revoked","token":[]}\n',
    hello + hello,
    hello + '{"ok":false,"id":2,"error":"owned","owner":null,"__proto__":7}\n',
    '{"ok":true,"id":1,"lease_s":3',
  ];
  for (const text of said) {
    await t.test(JSON.stringify(text.slice(0, 70)), async (t) => {
      const fake = await Fake.serve(t, (conn) => conn.once('data', () => conn.end(text)));
      const liveness = client(t, fake.socket);
      const o = await liveness.own(1, { run: 1 });
      assert.ok(!o.granted || text.includes('"token":42'));
      assert.notEqual((await o.check()).state, 'ok');
      await o.clear();
      const again = () => liveness.own(2, { run: 1 }).then(() => fake.connections > 1);
      await until(again, 'it is tried again');
    });
  }
});

test('is asked again ever more rarely', async (t) => {
  const fake = await Fake.serve(t, (conn) => conn.end('nonsense\n'));
  await client(t, fake.socket).own(1, { run: 1 });
  await sleep(1000);
  assert.ok(fake.connections < 12, `${fake.connections}`);
  await until(() => fake.connections >= 3, 'it is asked again');
  for (let failures = 0; failures < 100; failures++) {
    const most = failures === 0 ? 5 : Math.min(5000, 25 * 2 ** failures);
    const wait = backoff(failures, 5000);
    assert.ok(wait <= most && wait >= (failures && most / 2), `${failures}: ${wait}`);
  }
});

test('comes later', async (t) => {
  const socket = place(t);
  const o = await client(t, socket).own(1, { run: 1 });
  assert.ok((await o.check()).proceed);
  const { fake } = await scripted(t);
  symlinkSync(fake.socket, socket);
  await until(() => o.granted, 'it is granted');
  assert.equal((await o.check({ timeout: PATIENT })).state, 'ok');
});

/** A fake that hangs up on its first connection after so many requests, and answers each by a script of its own. */
async function lossy(t, most, answers) {
  const scripts = [];
  const fake = await Fake.serve(t, (conn) => {
    const script = new Script(answers(scripts.length));
    scripts.push(script);
    script.serve(conn, scripts.length === 1 ? most : Infinity);
  });
  return { fake, scripts };
}

test('a lost session is resumed under its token', async (t) => {
  const { fake, scripts } = await lossy(t, 3, () => ({}));
  const o = await client(t, fake.socket).own(1, { run: 2, key: 'k', stage: 'deploy-staging' });
  o.step('merge', { budget: 60_000 });
  await until(() => scripts[1]?.asked('step').length, 'the step is told again');
  const [{ token, job, run, key, stage }] = scripts[1].asked('mark');
  assert.deepEqual([token, job, run, key, stage], [42, '1', '2', 'k', 'deploy-staging']);
  assert.ok(scripts[1].asked('step')[0].budget_s < 60);
  assert.equal((await o.check({ timeout: PATIENT })).state, 'ok');
});

test('a watchdog that lost its memory is marked afresh', async (t) => {
  const forgot = [
    { ok: false, error: 'bad-request', field: 'token' },
    { ok: true, token: 7 },
  ];
  const { fake, scripts } = await lossy(t, 3, (n) => (n === 0 ? {} : { mark: forgot }));
  const o = await client(t, fake.socket).own(1, { run: 2 });
  await until(() => scripts[1]?.asked('mark').length === 2, 'it is marked afresh');
  assert.ok(!('token' in scripts[1].asked('mark')[1]));
  assert.equal((await o.check({ timeout: PATIENT })).state, 'ok');
  assert.equal(scripts[1].asked('check').at(-1).token, 7);
});

test('a check on the way is asked again', async (t) => {
  const { fake } = await lossy(t, 4, (n) => (n === 0 ? { check: [null] } : {}));
  const o = await client(t, fake.socket).own(1, { run: 2 });
  assert.equal((await o.check({ timeout: PATIENT })).state, 'ok');
});

test('what is owned is resumed in the order of its tokens, and nothing of what is being cleared', async (t) => {
  const marks = [3, 1, 2].map((token) => ({ ok: true, token }));
  const scripts = [
    new Script({ mark: marks, clear: [null] }),
    new Script({ mark: [2, 3].map((token) => ({ ok: true, token })) }),
  ];
  const fake = await Fake.serve(t, (conn) => scripts[fake.connections - 1].serve(conn));
  const liveness = client(t, fake.socket);
  const owned = await Promise.all(['a', 'b', 'c'].map((job) => liveness.own(job, { run: 1 })));
  await until(() => owned.every((o) => o.granted), 'all are granted');
  await owned[1].clear();
  fake.hangUp();
  await until(() => scripts[1].asked('mark').length === 2, 'the others are resumed');
  assert.deepEqual(
    scripts[1].asked('mark').map((r) => [r.job, r.token]),
    [
      ['c', 2],
      ['a', 3],
    ],
  );
});
