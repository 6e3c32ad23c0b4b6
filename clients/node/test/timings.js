// Prints how long mark, check and clear take with a watchdog that is up, absent and hanging, and what a process gains in
// memory and threads. It needs Node, Python for the database, and $WATCHDOG_BINARY or Go.
//
//     node clients/node/test/timings.js

import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';

import { Client } from '../src/index.js';
import { sleep, spent } from './support/time.js';
import { Watchdog } from './support/watchdog.js';

const ROUNDS = 500;
const OWNED = 1000; // at once, to tell what one costs

/** Marks, checks and clears many jobs, while another stays owned so that what is known of the watchdog stays known. */
async function measure(watchdog, liveness, pause) {
  const keeper = await liveness.own(0, { run: OWNED + 1 });
  const spans = { mark: [], check: [], clear: [] };
  let oks = 0;
  for (let job = 1; job <= ROUNDS; job++) {
    let o, answer;
    spans.mark.push(await spent(async () => (o = await liveness.own(job, { run: job }))));
    if (pause) await sleep(pause);
    spans.check.push(await spent(async () => (answer = await o.check())));
    spans.clear.push(await spent(() => o.clear()));
    oks += answer.state === 'ok';
  }
  await keeper.clear();
  for (const [call, took] of Object.entries(spans)) {
    took.sort((a, b) => a - b);
    const cuts = [took[ROUNDS / 2], took[Math.floor(ROUNDS * 0.99)], took.at(-1)].map((span) => span.toFixed(3));
    console.log(`| ${watchdog} | ${call} | ${cuts.join(' | ')} |`);
  }
  return oks;
}

/** What importing the client, and then owning, adds to a process. */
function footprint(socket) {
  const program = `
    import { readdirSync, readFileSync } from 'node:fs';
    import { readFile } from 'node:fs/promises';
    const read = (file, pattern) => [...readFileSync('/proc/self/' + file, 'utf8').matchAll(pattern)].reduce((sum, m) => sum + Number(m[1]), 0);
    const look = () => (gc(), [read('smaps_rollup', /^Private_\\w+: +(\\d+)/gm), read('status', /^Threads:\\s+(\\d+)/gm), readdirSync('/proc/self/fd').length]);
    await readFile('/proc/self/stat'); // so that Node's own threads are there,
    process.stdout.write(''); // and the descriptor that it keeps in reserve
    look();
    const before = look();
    const { Client } = await import('${new URL('../src/index.js', import.meta.url)}');
    const imported = look();
    const c = new Client({ socket: '${socket}' });
    const kept = [await c.own(1, { run: 1 })];
    const one = look();
    for (let job = 2; job <= ${OWNED}; job++) kept.push(await c.own(job, { run: job }));
    const many = look();
    console.log(imported[0] - before[0], one[0] - imported[0], one[1] - before[1], one[2] - imported[2], (many[0] - one[0]) / ${OWNED - 1});
    process.exit(0);`;
  const args = ['--expose-gc', '--input-type=module', '-e', program];
  const [imported, one, threads, fds, each] = execFileSync(process.execPath, args, { encoding: 'utf8' }).split(' ');
  console.log(
    `\nimporting adds ${imported} KiB; owning one job ${one} KiB, ${threads} threads and ${fds} descriptors;`,
  );
  console.log(`each further job ${Number(each).toFixed(1)} KiB`);
}

console.log(`Node ${process.version}, ${ROUNDS} rounds, milliseconds\n`);
console.log('| watchdog | call | p50 | p99 | max |\n| --- | --- | --- | --- | --- |');
const watchdog = await Watchdog.start({ WATCHDOG_HEARTBEAT_LEASE: '15s' });
for (let job = 0; job <= OWNED; job++) await watchdog.database.job(job, { run: job || OWNED + 1 });
const hanging = createServer().listen(watchdog.socket + '.hanging');

const clients = ['', '.none', '.hanging'].map((end) => new Client({ socket: watchdog.socket + end }));
const oks = await measure('up', clients[0], 5); // a finalizer has something to do before its first check
await measure('absent', clients[1]);
const first = await spent(() => clients[2].own(-1, { run: 1 }));
await measure('hanging', clients[2]);
console.log(`\n${oks} of ${ROUNDS} checks were ok; the first call to a hanging watchdog took ${first.toFixed(1)} ms`);
footprint(watchdog.socket);

for (const client of clients) client.close();
hanging.close();
await watchdog.close();
process.exit();
