// Whether anything is wrong now: the first thing that the page says.

import { clock, count, span } from "./words.js";

const alarm = (text, hint) => ({ level: "alarm", text, hint });
const warning = (text, hint) => ({ level: "warning", text, hint });
const note = (text, hint) => ({ level: "note", text, hint });

// findings lists what is wrong, the worst first. view.reaper is as of view.now, in milliseconds.
export function findings(view) {
  const found = [...contact(view)];
  if (view.reaper !== null) found.push(...reaper(view.reaper, view.now), ...jobs(view));
  const order = ["alarm", "warning", "note"];
  return found.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

function* contact({ failure, dataAge }) {
  if (failure === null) return;
  const age = dataAge === null ? "Nothing was read yet." : `What you see of the jobs is ${span(dataAge)} old.`;
  if (failure.kind === "database") {
    yield alarm(`The database does not answer: ${failure.message}`,
      `${age} Owned jobs are safe; what died is recovered when the database is back.`);
  } else {
    yield alarm(`The watchdog does not answer: ${failure.message}`, age);
  }
}

function* reaper(r, now) {
  if (!r.finalizer_liveness_enabled) {
    yield alarm("The switch is off: ownership counts for nothing, live finalizers are reaped by age.",
      "watchdog switch on");
  }
  if (r.braking) {
    yield alarm("The brake is on: too many jobs at once would be reaped without proof.",
      "Look at what they have in common, then: watchdog brake release");
  }
  if (r.clock_jump) {
    yield alarm("The clock that stamps the rows jumped: for one grace, ages are not believed.",
      "Look at NTP on the host and on the database.");
  }
  if (r.standby && r.database_up) { // while it is away that is the reason, and told as such
    yield warning(`Standing by: ${r.standby_reason ?? "another watchdog has this database"}.`,
      "No age rule acts here.");
  }
  if (r.last_pass_error !== null) {
    yield alarm(`The last pass failed: ${r.last_pass_error}`, lastSuccess(r, now));
  } else {
    yield* lateness(r, now);
  }
  if (r.dry_run) yield warning("Dry run: the reaper judges and counts, and recovers nothing.",
      "WATCHDOG_REAPER_DRY_RUN");
  if (r.pending_reaps > 0) {
    yield warning(`${count(r.pending_reaps, "reap has",
      "reaps have")} no known outcome yet.`, "Tried again with backoff.");
  }
  if (r.finalizer_stalled > 0) {
    yield warning(`${count(r.finalizer_stalled, "owner is", "owners are")} stalled: silent, or past the step's budget.`,
      "Left alone until the backstop, unless WATCHDOG_REAPER_REAP_STALLED is set.");
  }
  if (Math.abs(r.clock_skew_s) >= 5) {
    yield warning(`The database's clock is ${span(Math.abs(r.clock_skew_s))} ${r.clock_skew_s > 0 ? "ahead of" : "behind"} this host's.`,
      "Look at NTP on both.");
  }
  if (r.warming_up) {
    yield note("Warming up: the watchdog has just started, and waits for finalizers to reconnect.",
      "Proven deaths are recovered all the same.");
  }
  if (r.finalizer_sessions.none > 0) {
    yield note(`The death of ${count(r.finalizer_sessions.none, "session", "sessions")} cannot be proven here.`,
      "They are recovered by lease and grace, not at once.");
  }
}

// lateness compares the last pass with the interval, where the settings tell it.
function* lateness(r, now) {
  if (r.last_pass_at === null) {
    yield note("No pass was made yet.", "");
    return;
  }
  const late = (now - Date.parse(r.last_pass_at)) / 1000;
  if (late > Math.max(30, 3 * interval(r.settings))) {
    yield alarm(`The last pass was ${span(late)} ago.`, lastSuccess(r, now));
  }
}

function lastSuccess(r, now) {
  if (r.last_success_at === null) return "None has succeeded since the start.";
  return `The last that succeeded: ${span((now - Date.parse(r.last_success_at)) / 1000)} ago, at ${clock(r.last_success_at)}.`;
}

// interval reads Go's way of writing a duration (1m30s); 5 s where it is not told.
function interval(settings) {
  const name = Object.keys(settings).find((key) => key.toUpperCase().endsWith("REAPER_INTERVAL"));
  const unit = { h: 3600, m: 60, s: 1, ms: 0.001 };
  let seconds = 0;
  for (const [, n, u] of (settings[name] ?? "").matchAll(/([\d.]+)(h|ms|m|s)/g)) seconds += Number(n) * unit[u];
  return seconds || 5;
}

function* jobs({ jobs, reaper, now }) {
  const malformed = Math.max(reaper.malformed_jobs, jobs.filter((j) => j.verdict.reason === "malformed").length);
  if (malformed > 0) {
    yield warning(`${count(malformed, "job is", "jobs are")} malformed: the facts of the row contradict each other.`,
      "Nothing but the backstop reaps what is malformed.");
  }
  const slow = jobs.filter((j) => j.owner?.died_at != null && now - Date.parse(j.owner.died_at) > 10_000);
  if (slow.length > 0) {
    yield warning(`${count(slow.length, "finalizer",
      "finalizers")} died more than 10 s ago, and the job is still open.`, "");
  }
}
