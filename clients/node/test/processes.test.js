// Killed processes, forks, clusters, worker threads, and the end of a process.

import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';

import { Fake, hang, scripted } from './support/fake.js';
import { until } from './support/time.js';
import { client, Watchdog } from './support/watchdog.js';

const FINALIZER = new URL('support/finalizer.js', import.meta.url);
const AT_ONCE = 'it is recovered at once'; // the grace is longer than any test waits

test('processes', { concurrency: true }, async (t) => {
  // On a busy machine a process takes its time between its hang-up and its exit, which proves nothing past the lease.
  const watchdog = await Watchdog.start({ WATCHDOG_HEARTBEAT_LEASE: '1m', WATCHDOG_HEARTBEAT_WARMUP: '1s' });
  t.after(() => watchdog.close());
  const env = { ...process.env, WATCHDOG_SOCKET: watchdog.socket };
  for (let job = 1; job <= 6; job++) await watchdog.database.job(job);
  const tests = [];
  const it = (name, work) => tests.push(t.test(name, work));

  const status = (job) => watchdog.database.status(job);
  const recovered = (job) => until(async () => (await status(job)) === 'queued', AT_ONCE);
  const forked = (t, job, ...args) => {
    const child = fork(FINALIZER, [String(job), ...args], { env });
    t.after(() => child.kill('SIGKILL'));
    return child;
  };
  const told = async (peer) => (await once(peer, 'message'))[0];

  it('a process that was killed is recovered at once', async (t) => {
    const finalizer = forked(t, 1);
    assert.deepEqual(await told(finalizer), { granted: true, reason: '' });
    finalizer.kill('SIGKILL');
    await recovered(1);
  });

  it('also when a child of it lives on', async (t) => {
    const finalizer = forked(t, 2, 'with a child');
    const { granted, child } = await told(finalizer);
    assert.ok(granted);
    t.after(() => process.kill(child, 'SIGKILL'));
    finalizer.kill('SIGKILL');
    await recovered(2);
    process.kill(child, 0); // throws when it is gone
  });

  it('a forked process owns nothing but its own', async (t) => {
    const liveness = client(t, watchdog);
    await liveness.own(3, { run: 3 });
    const child = forked(t, 4, 'and look at', '3');
    assert.deepEqual(await told(child), { granted: true, reason: '', looked: false });
    child.kill('SIGKILL');
    await recovered(4);
    assert.deepEqual([await status(3), liveness.isOwned(3)], ['running', true]);
    const rival = forked(t, 3);
    assert.deepEqual(await told(rival), { granted: false, reason: 'owned' });
  });

  it('the workers of a cluster are rivals, and each dies for itself', async (t) => {
    cluster.setupPrimary({ exec: fileURLToPath(FINALIZER), args: ['5'] });
    const workers = [cluster.fork(env), cluster.fork(env)];
    t.after(() => workers.forEach((worker) => worker.process.kill('SIGKILL')));
    const replies = await Promise.all(workers.map(told));
    assert.deepEqual(replies.map((reply) => reply.reason).sort(), ['', 'owned']);
    workers[replies.findIndex((reply) => reply.granted)].process.kill('SIGKILL');
    await recovered(5);
  });

  it('a process that ends by itself does so quietly, owning or not', async (t) => {
    const { fake } = await scripted(t);
    const hanging = await Fake.serve(t, hang);
    await Promise.all([
      quiet(fake, 'await f.mark(1, { run: 2 });'),
      quiet({ socket: '/nowhere/at/all' }, 'await f.mark(1, { run: 2 });'),
      quiet(fake, 'f.own(1, { run: 2 }, () => new Promise(() => {}));'),
      quiet(fake, 'await f.own(1, { run: 2 }, () => process.exit(0));'),
      quiet(fake, 'await f.mark(1, { run: 2 }); process.on("exit", () => { f.clear(1); f.mark(3, { run: 1 }); });'),
      quiet(fake, 'await f.mark(1, { run: 2 }); process.once("beforeExit", () => f.clear(1));'),
      quiet(hanging, 'await f.mark(1, { run: 2 }); if (process.getActiveResourcesInfo().includes("Timeout")) throw 0;'),
      // Who waits for an answer is kept alive until it is there.
      quiet(
        hanging,
        'const o = await f.own(1, { run: 2 }); if ((await o.check({ timeout: 99 })).state === "ok") throw o;',
      ),
    ]);
  });

  it('a process that ends by itself is recovered at once', async (t) => {
    await quiet(
      watchdog,
      'const o = await f.mark(6, { run: 6 }); await o.check({ timeout: 60_000 }); if (!o.granted) throw 0;',
    );
    await recovered(6);
  });

  await Promise.all(tests);
});

/** Runs a program with the client as f, and requires that it says nothing and ends well. */
async function quiet({ socket }, program) {
  const source = `import * as f from ${JSON.stringify(new URL('../src/index.js', import.meta.url))};\n${program}`;
  const done = await promisify(execFile)(process.execPath, ['--trace-warnings', '--input-type=module', '-e', source], {
    env: { ...process.env, WATCHDOG_SOCKET: socket },
    timeout: 60_000,
  });
  assert.deepEqual(done, { stdout: '', stderr: '' });
}

test('a thread owns for itself; when it ends its jobs are recovered after the grace', async (t) => {
  const watchdog = await Watchdog.start({ WATCHDOG_REAPER_FINALIZE_GRACE: '2s' });
  t.after(() => watchdog.close());
  const finished = (at) => watchdog.database.run('UPDATE agent_runs SET finished_at = ?', at);
  await watchdog.database.job(1);
  await finished(null); // until it is owned: the grace is short
  const worker = new Worker(FINALIZER, { argv: ['1'], env: { ...process.env, WATCHDOG_SOCKET: watchdog.socket } });
  t.after(() => worker.terminate());
  assert.deepEqual((await once(worker, 'message'))[0], { granted: true, reason: '' });
  const liveness = client(t, watchdog);
  assert.ok(!liveness.isOwned(1));
  assert.equal((await liveness.own(1, { run: 1 })).reason, 'owned');
  await finished(Date.now() / 1000);
  const ended = performance.now();
  await worker.terminate();
  await until(async () => (await watchdog.database.status(1)) === 'queued', 'it is reaped');
  assert.ok(performance.now() - ended > 1900, 'the process lives: nothing is proven');
});
