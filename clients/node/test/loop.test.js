// An event loop that its own process blocked, and a machine that was suspended: what a check then says.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import os from 'node:os';
import { after, before, test } from 'node:test';

import { BootClock } from '../src/clock.js';
import { Client } from '../src/index.js';
import { scripted } from './support/fake.js';
import { block, calmly, PATIENT, spent, suspendable, until } from './support/time.js';
import { client, Watchdog } from './support/watchdog.js';

let watchdog;
before(async () => {
  watchdog = await Watchdog.start({
    WATCHDOG_REAPER_REAP_STALLED: 'true',
    WATCHDOG_CHECK_HOLD: '20s',
  });
});
after(() => watchdog.close());

/** An ownership that is confirmed, of a client with the default timeout, and held for so long. */
async function confirmed(t, job, { hold, ...options } = {}) {
  await watchdog.database.job(job);
  const liveness = new Client({ socket: watchdog.socket, ...options });
  t.after(() => liveness.close());
  const o = await liveness.own(job, { run: job, stage: 'deploy-staging' });
  await until(async () => (await o.check({ hold })).state === 'ok', 'the ownership is confirmed');
  return { liveness, o };
}

test('an answer that came while the loop was blocked counts', async (t) => {
  const { o } = await confirmed(t, 1);
  await calmly(async () => {
    const asking = o.check();
    block(1000); // twenty times the timeout
    const answer = await asking;
    assert.equal(answer.state, 'ok');
    assert.ok(answer.remaining() <= 19_000, 'it is counted from when the check was sent');
  });
  await o.clear();
});

test('where the loop was blocked past the hold the policy decides', async (t) => {
  for (const [job, onUnknown] of [
    [2, 'stop'],
    [5, 'proceed'],
  ]) {
    const { o } = await confirmed(t, job, { onUnknown });
    await calmly(async () => {
      const asking = o.check({ hold: 100 });
      block(1000);
      const answer = await asking;
      assert.deepEqual([answer.state, answer.proceed, answer.remaining()], ['unknown', onUnknown === 'proceed', 0]);
      assert.equal(answer.reason, 'the hold ran out before its answer came');
    });
    await o.clear();
  }
});

test('a loop that was blocked past its lease owns nothing until the watchdog says so', async (t) => {
  const { liveness, o } = await confirmed(t, 3);
  block(1100);
  assert.ok(!liveness.isOwned(3), 'the lease lapsed by the own clock');
  assert.equal((await o.check({ timeout: PATIENT })).state, 'ok', 'it was stalled, and nobody took it');
  assert.ok(liveness.isOwned(3));
});

test('what was taken while the loop was blocked is known at the next check', async (t) => {
  const { liveness, o } = await confirmed(t, 4, { hold: 500 });
  await watchdog.database.age(4);
  const asking = o.check({ hold: 500 });
  while (!/msg=reaped .*job=4 /.test(watchdog.logged())) block(100); // past the lease, with REAP_STALLED
  const answers = [await asking, await o.check({ timeout: PATIENT })];
  assert.deepEqual(
    answers.map((answer) => [answer.state, answer.proceed]),
    [
      ['unknown', false],
      ['revoked', false],
    ],
  );
  assert.ok(o.revoked.aborted && !liveness.isOwned(4));
  assert.equal(await watchdog.database.status(4), 'queued');
});

test('a hold and a lease end while the machine is suspended', async (t) => {
  const suspend = suspendable(t);
  const { fake } = await scripted(t);
  const liveness = client(t, fake);
  const o = await liveness.own(1, { run: 2 });
  const answer = await o.check();
  assert.ok(answer.remaining() > 20_000 && liveness.isOwned(1));
  suspend(600);
  assert.equal(answer.remaining(), 0);
  assert.ok(!liveness.isOwned(1));
  assert.equal((await o.check()).state, 'ok', 'asked afresh');
});

test('an answer from before a suspension is none after it', async (t) => {
  const suspend = suspendable(t);
  const asleep = () => {
    suspend(600);
    return { ok: true, hold_s: 30 };
  };
  const { fake } = await scripted(t, { check: [{ ok: true, hold_s: 30 }, asleep] });
  const o = await client(t, fake).own(1, { run: 2 });
  const answer = await o.check();
  assert.deepEqual([answer.state, answer.proceed], ['unknown', false]);
});

test('the clock goes by the machine, and never backwards', (t) => {
  let uptime = () => 100;
  t.mock.method(os, 'uptime', () => uptime());
  const clock = new BootClock();
  const first = clock.now();
  assert.ok(first >= 100_000 && clock.now() >= first);
  uptime = () => 90;
  assert.ok(clock.now() >= first);
  uptime = () => 3700;
  assert.ok(clock.now() >= 3_700_000);
  block(20);
  uptime = () => 3700.01;
  const fine = clock.now();
  assert.ok(fine >= 3_700_020, 'it is as fine as the steady clock');
  uptime = () => {
    throw new Error('no /proc');
  };
  assert.ok(clock.now() >= Date.now() - 1, 'the wall clock is later than any uptime: all leases have lapsed');
});

test('a call costs a blocked loop no more than itself', async (t) => {
  const { fake } = await scripted(t);
  const liveness = client(t, fake);
  const took = await spent(() => liveness.own(1, { run: 2 }, () => block(100)));
  assert.ok(took < PATIENT, `${took} ms`);
});

test('what hangs on the first call is not kept', async (t) => {
  const storage = new AsyncLocalStorage();
  const stores = [];
  const { fake } = await scripted(t, { hello: [{ ok: true, lease_s: 1, beat_s: 0.1 }] });
  const liveness = client(t, fake, { log: () => stores.push(storage.getStore()) });
  await storage.run('a request', async () => {
    await liveness.own(1, { run: 2 });
    assert.equal(storage.getStore(), 'a request');
  });
  fake.hangUp();
  await until(() => stores.length >= 3, 'it connected, lost the watchdog and connected again');
  assert.deepEqual(new Set(stores), new Set([undefined]));
});
