// What each call says and returns, against a watchdog whose every answer the test writes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { served, tokens } from './support/fake.js';
import { sleep, suspendable, until } from './support/time.js';
import { client } from './support/watchdog.js';

test('mark says what is owned', async (t) => {
  const { script, liveness } = await served(t);
  const o = await liveness.mark(1914, { run: 2207n, stage: 'deploy-staging', task: 'ORCH-111', key: 't-7' });
  assert.deepEqual([o.job, o.run, o.granted, o.reason, o.revoked.aborted], ['1914', '2207', true, '', false]);
  assert.equal(script.asked('hello')[0].name, 'orchestrator-0');
  const { id, ...mark } = script.asked('mark')[0];
  assert.deepEqual(mark, {
    ...{ op: 'mark', job: '1914', run: '2207', key: 't-7' },
    ...{ task: 'ORCH-111', stage: 'deploy-staging', role: 'finalizer' },
  });
});

test('own clears when its work has ended, and gives what that gave', async (t) => {
  const { script, liveness } = await served(t, { mark: tokens(9) });
  assert.equal(await liveness.own(1, { run: 2 }, async (o) => o.granted && 'done'), 'done');
  assert.deepEqual(
    script.asked('clear').map((r) => r.job),
    ['1'],
  );
  await assert.rejects(
    liveness.own(2, { run: 2 }, () => {
      throw new Error('the re-test failed');
    }),
    /the re-test failed/,
  );
  await assert.rejects(
    liveness.own(3, { run: 2 }, () => Promise.reject(new Error('the merge failed'))),
    /merge/,
  );
  assert.deepEqual(
    script.asked('clear').map((r) => r.job),
    ['1', '2', '3'],
  );
  assert.equal(await liveness.own(4, () => 'unprotected'), 'unprotected', 'the work is done all the same');
});

test('without work own gives the ownership, which is cleared once', async (t) => {
  const { script, liveness } = await served(t);
  const o = await liveness.own(1, { run: 2 });
  assert.ok(liveness.isOwned(1));
  await o.clear();
  assert.equal(script.asked('clear').length, 1);
  await o.clear();
  assert.equal(script.asked('clear').length, 1, 'only the first clear does anything');
  assert.deepEqual([(await o.check()).state, o.revoked.aborted], ['revoked', false]);
});

test('await using clears, where the runtime has it', async (t) => {
  const { script, liveness } = await served(t);
  const o = await liveness.own(1, { run: 2 });
  await leave(o);
  assert.equal(script.asked('clear').length, 1);
});

/** Leaves a block that uses an ownership: by the syntax (Node 24), by the method (18.18) or by hand. */
function leave(o) {
  try {
    return new Function('o', 'return (async () => { await using used = o; })()')(o);
  } catch {
    return Symbol.asyncDispose === undefined ? o.clear() : o[Symbol.asyncDispose]();
  }
}

test('two marks are rivals, with one key they are one owner', async (t) => {
  const { script, liveness } = await served(t, { mark: tokens(9) });
  await liveness.own(1, { run: 2 });
  await liveness.own(1, { run: 2 });
  const [first, second] = script.asked('mark');
  assert.notEqual(first.key, second.key);
  await liveness.mark(2, { run: 2, key: 'k' });
  const again = await liveness.mark(2, { run: 2, key: 'k' });
  assert.equal(script.asked('mark').length, 3);
  await again.clear();
  await again.clear();
  assert.deepEqual([(await again.check()).state, liveness.isOwned(2)], ['revoked', true]);
  await liveness.clear(2);
  assert.ok(!liveness.isOwned(2), 'it is cleared with the last');
  await liveness.mark(2, { run: 2, key: 'k', role: 'worker' });
  await liveness.mark(2, { run: 2, key: 'k' });
  assert.equal(script.asked('mark').length, 5, 'a worker is another owner');
});

test('a mark after a clear that is not sent yet is not cleared', async (t) => {
  const { script, liveness } = await served(t, { mark: [null] }, { timeout: 100 });
  const first = await liveness.mark(1, { run: 2, key: 'k' });
  await until(() => script.asked('mark').length === 1, 'it is marked');
  const clearing = first.clear();
  const second = liveness.mark(1, { run: 2, key: 'k' });
  await clearing;
  await second;
  assert.deepEqual([script.asked('mark').length, script.asked('clear').length], [1, 0]);
  assert.equal((await (await second).check()).state, 'unknown');
});

test('who was refused clears nothing of another', async (t) => {
  const owned = { ok: false, error: 'owned', owner: { name: 'b' } };
  const { script, liveness } = await served(t, { mark: [{ ok: true, token: 42 }, owned] });
  await liveness.mark(1, { run: 2 });
  const refused = await liveness.mark(1, { run: 2 });
  assert.deepEqual([refused.revoked.aborted, refused.reason, refused.owner], [true, 'owned', 'b']);
  await liveness.clear(1);
  assert.deepEqual([script.asked('clear').length, liveness.isOwned(1)], [0, true]);
  await liveness.clear(1);
  assert.deepEqual(
    script.asked('clear').map((r) => r.token),
    [42],
  );
  assert.ok(!liveness.isOwned(1));
});

test('clear by job leaves alone what own has', async (t) => {
  const { script, liveness } = await served(t, { mark: tokens(9) });
  await liveness.own(1, { run: 2 });
  await liveness.mark(1, { run: 2 });
  await liveness.clear('1');
  assert.deepEqual(
    script.asked('clear').map((r) => r.token),
    [2],
  );
  assert.ok(liveness.isOwned(1));
});

test('step and check carry their spans', async (t) => {
  const { script, liveness } = await served(t);
  const answer = await liveness.own('a/b', { run: 'r' }, (o) => {
    o.step('merge-gate re-test', { budget: 1_800_000 });
    return o.check({ hold: 7000 });
  });
  assert.deepEqual([answer.state, answer.proceed, answer.reason], ['ok', true, '']);
  assert.ok(answer.remaining() > 20_000 && answer.remaining() <= 29_990, `${answer.remaining()}`);
  const [step] = script.asked('step');
  assert.equal(step.step, 'merge-gate re-test');
  assert.ok(step.budget_s > 1790 && step.budget_s <= 1800);
  assert.equal(script.asked('check').at(-1).hold_s, 7);
});

test('a hold that ran out on the way is none', async (t) => {
  const { liveness } = await served(t, { check: [{ ok: true, hold_s: 1e-9 }] });
  const answer = await liveness.own(1, { run: 2 }, (o) => o.check());
  assert.deepEqual([answer.state, answer.remaining()], ['unknown', 0]);
});

test('an event revokes', async (t) => {
  const event = { event: 'revoked', job: '1', token: 42, reason: 'backstop' };
  const { liveness } = await served(t, { step: [[event, { ok: false, error: 'revoked', reason: 'backstop' }]] });
  await liveness.own(1, { run: 2 }, async (o) => {
    assert.ok(!o.revoked.aborted);
    const aborted = once(o.revoked, 'abort');
    o.step('merge');
    await aborted;
    assert.equal(o.revoked.reason.message, 'job 1 was revoked: backstop');
    assert.deepEqual([o.reason, (await o.check()).state, liveness.isOwned(1)], ['backstop', 'revoked', false]);
  });
});

test('an event before its mark is not lost', async (t) => {
  const event = { event: 'revoked', job: '1', token: 42, reason: 'closed' };
  const { script, liveness } = await served(t, { mark: [[event, { ok: true, token: 42 }]] });
  const o = await liveness.mark(1, { run: 2 });
  assert.deepEqual([o.revoked.aborted, o.reason], [true, 'closed']);
  assert.equal(script.asked('check').length, 0);
});

test('the policy decides about what nobody knows', async (t) => {
  const check = [{ ok: false, error: 'unavailable', message: 'the database did not answer' }];
  for (const [onUnknown, proceed] of [
    ['stop', false],
    ['proceed', true],
  ]) {
    const { liveness } = await served(t, { check: [...check] }, { onUnknown });
    const answer = await liveness.own(1, { run: 2 }, (o) => o.check());
    assert.deepEqual([answer.state, answer.proceed], ['unknown', proceed]);
    assert.equal(answer.reason, 'unavailable: the database did not answer');
  }
  const liveness = client(t, { socket: '/nowhere/at/all' }, { onUnknown: 'stop' });
  assert.ok((await liveness.own(1, { run: 2 }, (o) => o.check())).proceed, 'there never was a watchdog');
});

test('a stranger to every session asks no more than once a beat', async (t) => {
  const { script, liveness } = await served(t, { check: [{ ok: false, error: 'not-owner' }] });
  const began = performance.now();
  const o = await liveness.mark(1, { run: 2 });
  await sleep(500);
  const asked = script.asked('mark').length;
  assert.ok(asked < 3 + (performance.now() - began) / 1000, `${asked}`);
  assert.equal((await o.check()).reason, 'not-owner');
});

test('a mark that is refused for now is asked for again', async (t) => {
  const { liveness } = await served(t, {
    mark: [
      { ok: false, error: 'unavailable' },
      { ok: true, token: 43 },
    ],
  });
  const o = await liveness.mark(1, { run: 2 });
  assert.deepEqual([o.granted, o.reason], [false, 'unavailable']);
  await until(() => o.granted, 'it is granted');
  assert.deepEqual([o.reason, (await o.check()).state], ['', 'ok']);
});

test('isOwned follows the lease by the own clock', async (t) => {
  const suspend = suspendable(t);
  const hello = [{ ok: true, lease_s: 600, beat_s: 500 }];
  const { liveness } = await served(t, { hello, beat: [null] });
  await liveness.own(1, { run: 2 });
  assert.deepEqual(
    [1, '1', 1n, 2, 1.5, null].map((job) => liveness.isOwned(job)),
    [true, true, true, false, false, false],
  );
  suspend(400);
  assert.ok(liveness.isOwned(1));
  suspend(400);
  assert.ok(!liveness.isOwned(1), 'the lease has lapsed');
});

test('one connection and one timer beat for all', async (t) => {
  const { script, fake, liveness } = await served(t, {
    mark: tokens(1000),
    hello: [{ ok: true, lease_s: 60, beat_s: 0.1 }],
  });
  const owned = await Promise.all(Array.from({ length: 1000 }, (_, job) => liveness.own(job, { run: 1 })));
  await until(() => owned.every((o) => o.granted), 'all are granted');
  const began = performance.now();
  const beats = () => script.asked('beat').length - before;
  const before = script.asked('beat').length;
  await until(() => beats() >= 4, 'it beats');
  assert.ok(beats() <= (performance.now() - began) / 100 + 2, 'one beat is for all');
  assert.ok(fake.connections < 4, 'as many only if the machine is too busy to say hello in time');
});

test('close leaves nothing', async (t) => {
  const { fake, liveness } = await served(t, { check: [null] });
  const o = await liveness.mark(1, { run: 2 });
  const asking = o.check();
  liveness.close();
  liveness.close();
  assert.deepEqual([(await asking).state, (await o.check()).reason], ['unknown', 'the client is closed']);
  assert.ok(!o.revoked.aborted);
  await o.clear();
  assert.equal((await liveness.mark(2, { run: 2 })).reason, 'the client is closed');
  await sleep(100);
  assert.equal(fake.connections, 1, 'it does not come back');
});
