/// <reference lib="esnext.disposable" />

/**
 * Tells the finalizer watchdog which jobs this process finalizes. Spans are milliseconds.
 *
 * No call throws, rejects or takes longer than `timeout` (50 ms) because of the watchdog, unless it asks for more. While
 * the watchdog is known to be away or silent a call waits for nothing.
 */

/** What names a job or a run: an integer, or a string of at most 128 bytes. */
export type Id = string | number | bigint;

export interface JobOptions {
  /** The execution that is finalized. */
  run: Id;
  stage?: string;
  task?: string;
  /** Marks of one run with one key are one owner, cleared with the last of them. Default: a new one for each mark. */
  key?: string;
  /** `worker` for the process that runs the job's agent. Default: `finalizer`. */
  role?: 'finalizer' | 'worker';
}

/** What a check found. An object is always true: ask `proceed`. */
export interface Answer {
  /**
   * `ok`: the caller owns the job, and nobody takes it while the hold runs. `revoked`: the job is another's by now; the
   * caller must not go on. `unknown`: nobody could say.
   */
  readonly state: 'ok' | 'revoked' | 'unknown';
  /** Why it was revoked, or why nobody knows; empty when ok. */
  readonly reason: string;
  /** Whether to go on, by the policy `onUnknown`. */
  readonly proceed: boolean;
  /** For how long the job will not be reaped from its owner, counted from when the check was sent. */
  remaining(): number;
}

/** One job that this process finalizes, from mark to clear. */
export interface Ownership extends AsyncDisposable {
  readonly job: string;
  readonly run: string;
  /** Whether the watchdog granted the ownership at some time. Until then it protects nothing. */
  readonly granted: boolean;
  /**
   * Why it was revoked, refused or is not granted yet; empty while all is well. `owned`: another finalizer has the job, or
   * its hold is still running. Who waits may mark again.
   */
  readonly reason: string;
  /** The name of the session that has the job, where `reason` is `owned` and it has one. */
  readonly owner: string;
  /** Aborted when the job is known to be another's: also when the mark was refused for that. */
  readonly revoked: AbortSignal;
  /** Tells what is being done, and after how long it is to be taken for stuck. Waits for nothing. */
  step(name: string, options?: { budget?: number }): void;
  /**
   * Asks whether the caller still owns the job, and for the promise that it will for a while.
   *
   * hold: how long, at most the watchdog's setting, which is the default. timeout: how long to wait, instead of the
   * client's; then also for a watchdog that is silent now.
   */
  check(options?: { hold?: number; timeout?: number }): Promise<Answer>;
  /** Says that the owner is done with the job, finalized or not. Only the first clear does anything. */
  clear(): Promise<void>;
}

export interface ClientOptions {
  /** The watchdog's socket. Default: $WATCHDOG_SOCKET, or else /run/watchdog/heartbeat.sock. */
  socket?: string;
  /** Of this process, for people. Default: the host's, which in Kubernetes is the pod's. */
  name?: string;
  /** How long the watchdog should bear silence, at least a second. Default and most: its setting. */
  lease?: number;
  /** How long one call may take. Default: 50. */
  timeout?: number;
  /**
   * What a check makes of not knowing. `stop`, the default: do not go on where the watchdog once granted the ownership.
   * `proceed`: go on, as without a watchdog. Where it never granted it a check always goes on.
   */
  onUnknown?: 'stop' | 'proceed';
  /** Told when the watchdog comes, goes, refuses or revokes. Default: what NODE_DEBUG=finalizer-liveness shows. */
  log?: (level: 'info' | 'warn' | 'error', message: string) => void;
}

/** Speaks to one watchdog, over one connection. The constructor throws where an option is none; nothing else does. */
export class Client {
  constructor(options?: ClientOptions);
  /** Says that this process finalizes the job from now on, until `clear`. Each mark wants one clear, also one refused. */
  mark(job: Id, options: JobOptions): Promise<Ownership>;
  /** Marks the job, calls `work` whatever the watchdog says, and clears when that has ended, also by an error. */
  own<T>(job: Id, options: JobOptions, work: (owned: Ownership) => T): Promise<Awaited<T>>;
  /** Marks the job, for `await using`, or for a `clear` in a `finally`. */
  own(job: Id, options: JobOptions): Promise<Ownership>;
  /** Clears what this process marked of the job with `mark`. */
  clear(job: Id): Promise<void>;
  /**
   * Whether this process owns the job as far as it knows, without asking: granted, not revoked, and the lease has not
   * lapsed by this machine's clock. Before a step that must be done alone, check.
   */
  isOwned(job: Id): boolean;
  /** Hangs up. What is owned is not cleared: its owner has fallen silent. */
  close(): void;
}

/** The client behind the functions of this module; its settings are the defaults of ClientOptions. */
export function defaultClient(): Client;
export const mark: Client['mark'];
export const own: Client['own'];
export const clear: Client['clear'];
export const isOwned: Client['isOwned'];
