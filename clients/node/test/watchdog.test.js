// The client beside the built watchdog: resumed tokens, proven deaths, stopped processes. Most of the time is waiting:
// the tests run at once.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { test } from 'node:test';

import { Client } from '../src/index.js';
import { calmly, spent, until } from './support/time.js';
import { client, Watchdog } from './support/watchdog.js';

let jobs = 100;

async function job(watchdog, row) {
  const added = ++jobs;
  await watchdog.database.job(added, row);
  return added;
}

/** Waits until the watchdog has reaped a job that nobody owns, and requires that it left another alone. */
async function leftAlone(watchdog, owned) {
  await watchdog.database.age(owned);
  const neglected = await job(watchdog);
  await watchdog.database.age(neglected);
  await until(async () => (await watchdog.database.status(neglected)) === 'queued', 'the neglected job is reaped');
  assert.equal(await watchdog.database.status(owned), 'running');
}

const confirmed = (o) => until(async () => (await o.check()).state === 'ok', 'the ownership is confirmed');

test('beside the watchdog', { concurrency: true }, async (t) => {
  // A busy machine may keep a client away for longer than the lease of the other tests.
  const watchdog = await Watchdog.start({ WATCHDOG_HEARTBEAT_LEASE: '1m', WATCHDOG_HEARTBEAT_WARMUP: '1s' });
  t.after(() => watchdog.close());
  const tests = [];
  const it = (name, work) => tests.push(t.test(name, work));

  it('what is owned is left alone, and what is not is reaped', async (t) => {
    const owned = await job(watchdog);
    const liveness = client(t, watchdog);
    await liveness.own(owned, { run: owned, stage: 'deploy-staging' }, async (o) => {
      await confirmed(o);
      await leftAlone(watchdog, owned);
      assert.ok(o.granted && !o.revoked.aborted);
      await until(() => liveness.isOwned(owned), 'the lease runs');
    });
  });

  it('a second finalizer is told', async (t) => {
    const owned = await job(watchdog);
    await client(t, watchdog).own(owned, { run: owned }, async () => {
      const o = await client(t, watchdog).own(owned, { run: owned });
      assert.deepEqual([o.revoked.aborted, o.reason, o.owner], [true, 'owned', hostname()]);
    });
  });

  it('a job that is not open is taken back', async (t) => {
    const owned = await job(watchdog, { status: 'queued' });
    const o = await client(t, watchdog).own(owned, { run: owned });
    if (!o.revoked.aborted) await once(o.revoked, 'abort');
    assert.deepEqual([o.reason, (await o.check()).state], ['closed', 'revoked']);
  });

  /** A watchdog that the test may kill or stop, a client with the default timeout, and what that owns. */
  async function owning(t) {
    const watchdog = await Watchdog.start();
    t.after(() => watchdog.close());
    await watchdog.database.job(1);
    const liveness = new Client({ socket: watchdog.socket });
    t.after(() => liveness.close());
    const o = await liveness.own(1, { run: 1 });
    await confirmed(o);
    return { watchdog, liveness, o };
  }

  it('a restart is survived under the same token', async (t) => {
    const { watchdog, o } = await owning(t);
    await watchdog.kill();
    const answer = await o.check();
    assert.deepEqual([answer.state, answer.proceed], ['unknown', false]);
    await watchdog.start();
    await confirmed(o);
    await leftAlone(watchdog, 1);
    assert.ok(!o.revoked.aborted);
  });

  it('a stopped watchdog costs one wait', async (t) => {
    const { watchdog, liveness, o } = await owning(t);
    const { pid } = watchdog.process;
    const stopped = () => / T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    await calmly(async () => {
      await confirmed(o);
      process.kill(pid, 'SIGSTOP');
      await until(stopped, 'it stops');
      const first = await spent(() => o.check());
      const later = Math.min(await spent(() => o.check()), await spent(() => o.check()), await spent(() => o.check()));
      await until(() => !liveness.isOwned(1), 'the lease lapses by the own clock');
      const answer = await o.check();
      process.kill(pid, 'SIGCONT');
      assert.equal(answer.state, 'unknown');
      assert.ok(first < 1000 && later < 20, `${first} ms, ${later} ms`);
    });
    await confirmed(o);
    assert.ok(!o.revoked.aborted);
    await until(() => liveness.isOwned(1), 'the lease runs');
  });
  await Promise.all(tests);

  // It leaves the others no time to say hello in.
  await t.test('a flood of marks is granted whole', async (t) => {
    const most = 3000;
    const liveness = client(t, watchdog);
    const ids = Array.from({ length: most }, (_, i) => `flood-${i}`);
    const owned = await Promise.all(ids.map((id) => liveness.mark(id, { run: 1 })));
    await until(() => owned.every((o) => o.granted), 'all are granted');
    await Promise.all(ids.map((id) => liveness.clear(id)));
    assert.ok(!ids.some((id) => liveness.isOwned(id)));
  });
});
