// Programs as a caller writes them. What must not compile is marked: an error that is gone is an error.

import { Client, clear, defaultClient, isOwned, mark, own } from 'finalizer-liveness';
import type { Answer, ClientOptions, Id, JobOptions, Ownership } from 'finalizer-liveness';

declare function retest(signal: AbortSignal): Promise<void>;
declare function merge(): Promise<string>;

export async function finalize(job: Id, run: Id): Promise<string | undefined> {
  return own(job, { run, stage: 'deploy-staging', task: 'ORCH-111' }, async (o) => {
    if (o.revoked.aborted) return undefined;
    o.step('merge-gate re-test', { budget: 30 * 60_000 });
    o.step('merge');
    await retest(o.revoked);
    const answer: Answer = await o.check({ hold: 30_000, timeout: 2000 });
    if (!answer.proceed || answer.remaining() < 10_000) return undefined;
    return merge();
  });
}

export async function scoped(options: JobOptions): Promise<void> {
  await using o = await own(1914n, options);
  const { job, run, granted, reason, owner }: Ownership = o;
  const texts: string[] = [job, run, reason, owner];
  console.log(texts, granted);
}

export async function inTwoCalls(): Promise<boolean> {
  const o: Ownership = await mark(1914, { run: 2207, key: 'k', role: 'worker' });
  const state: 'ok' | 'revoked' | 'unknown' = (await o.check()).state;
  await o.clear();
  await clear('1914');
  return isOwned(1914) && state === 'ok';
}

export function settings(): Client {
  const options: ClientOptions = {
    ...{ socket: '/run/watchdog/heartbeat.sock', name: 'orchestrator-0', lease: 15_000, timeout: 50 },
    onUnknown: 'proceed',
    log: (level: 'info' | 'warn' | 'error', message: string) => console.log(level, message),
  };
  defaultClient().close();
  return new Client(options);
}

export async function mistakes(o: Ownership, answer: Answer): Promise<void> {
  // @ts-expect-error no run
  await own(1914, { stage: 'deploy-staging' }, () => merge());
  // @ts-expect-error no id
  await mark(null, { run: 1 });
  // @ts-expect-error no role
  await mark(1, { run: 1, role: 'reaper' });
  // @ts-expect-error no policy
  new Client({ onUnknown: 'explode' });
  // @ts-expect-error not to be set
  o.granted = true;
  // @ts-expect-error a promise
  o.check().proceed;
  // @ts-expect-error a method
  answer.remaining < 10;
}
