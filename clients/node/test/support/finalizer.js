// A finalizer as a process or a thread: it owns the job that it is given, tells its parent so, and goes on.

import { spawn } from 'node:child_process';
import { isMainThread, parentPort } from 'node:worker_threads';

import { Client } from '../../src/index.js';
import { PATIENT } from './time.js';

const [job, also, of] = process.argv.slice(2);
const liveness = new Client({ timeout: PATIENT });
const { granted, reason } = await liveness.own(job, { run: job, stage: 'deploy-staging' });
const found = { granted, reason };
if (also === 'and look at') found.looked = liveness.isOwned(of);
if (also === 'with a child') found.child = spawn('sleep', ['60'], { stdio: 'ignore' }).pid;

if (isMainThread) process.send(found);
else parentPort.postMessage(found);
setInterval(() => {}, 60_000);
