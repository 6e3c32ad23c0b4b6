import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = new URL('../../../../', import.meta.url);

/** An orchestrator's SQLite file with the schema of the default set. Python executes: Node 18 has no SQLite. */
export class Database {
  #python;
  #answers;

  static async create(path) {
    const db = new Database();
    db.#python = spawn('python3', [fileURLToPath(new URL('sqlite.py', import.meta.url)), path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    db.#answers = createInterface({ input: db.#python.stdout })[Symbol.asyncIterator]();
    await db.run('PRAGMA journal_mode=wal');
    const schema = await readFile(new URL('sql/sets/orchestrator/sqlite/schema.sql', ROOT), 'utf8');
    for (const statement of schema.split(';').filter((s) => s.trim())) await db.run(statement);
    return db;
  }

  /** Executes one statement after the other. */
  async run(statement, ...values) {
    this.#python.stdin.write(JSON.stringify([statement, values]) + '\n');
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the database ended at ${statement}`);
    return JSON.parse(value);
  }

  /** Adds a job whose run has just finished; the run has the job's id unless told otherwise. */
  async job(job, { run = job, status = 'running', stage = 'deploy-staging' } = {}) {
    const now = Date.now() / 1000;
    await this.run('INSERT INTO tasks (id, ref, stage) VALUES (?, ?, ?)', job, `ORCH-${job}`, stage);
    await this.run(
      'INSERT INTO jobs (id, task_id, status, attempt, created_at, started_at) VALUES (?, ?, ?, 1, ?, ?)',
      ...[job, job, status, now, now],
    );
    await this.run(
      'INSERT INTO agent_runs (id, job_id, exit_code, started_at, finished_at) VALUES (?, ?, 0, ?, ?)',
      ...[run, job, now, now],
    );
  }

  /** Makes the job and its run older: past the grace of the tests' watchdogs, and not past their ceiling. */
  async age(job) {
    const ago = 'started_at = started_at - 400';
    await this.run(`UPDATE agent_runs SET ${ago}, finished_at = finished_at - 400 WHERE job_id = ?`, job);
    await this.run(`UPDATE jobs SET ${ago}, created_at = created_at - 400 WHERE id = ?`, job);
  }

  async status(job) {
    return (await this.run('SELECT status FROM jobs WHERE id = ?', job))[0][0];
  }

  close() {
    this.#python.stdin.end();
  }
}
