// What the page says of verdicts, spans and instants. Nothing here touches the document.

const reap = {
  "backstop": "older than the ceiling",
  "owner-died": "its finalizer died",
  "unfinalized": "its run finished, and nobody finalizes it",
  "worker-died": "its worker died before the run finished",
};

const spare = {
  "held": "a check promised its finalizer that it would not be reaped",
  "connected": "its finalizer is alive",
  "reconnecting": "its finalizer lost its connection, its lease still runs",
  "stalled": "its finalizer is silent or past its step's budget",
  "warming-up": "the watchdog has just started, finalizers may be reconnecting",
  "clock-jump": "the clock that stamps the rows jumped",
  "braking": "the brake is on: too many at once, without proof",
  "standby": "another watchdog has this database",
  "backoff": "a finalizer of it died before, not long ago",
  "reaping": "a reap of it has no known outcome yet",
  "running": "its run goes on",
  "finalizing": "its run finished, the grace is running",
  "malformed": "its facts contradict each other",
  "closed": "it is not running in the database",
};

const doubts = ["stalled", "clock-jump", "braking", "standby", "backoff", "reaping"];

// kind sorts a verdict: a problem is something that a person may have to end.
export function kind(verdict) {
  if (verdict.action === "reap") return "reap";
  if (verdict.reason === "malformed") return "problem";
  if (verdict.action === "defer") return doubts.includes(verdict.reason) ? "problem" : "defer";
  return "wait";
}

export function verdictWord(verdict, dryRun) {
  switch (verdict.action) {
    case "reap": return dryRun ? "Would be reaped" : "To be reaped";
    case "defer": return "Left alone";
  }
  return verdict.reason === "malformed" ? "Malformed" : "Nothing due";
}

export function verdictReason(verdict) {
  const words = (verdict.action === "reap" ? reap : spare)[verdict.reason] ?? verdict.reason;
  const detail = verdict.detail === null ? "" : `: ${verdict.detail}`;
  const tier = verdict.tier === null ? "" : ` (tier ${verdict.tier})`;
  return words + detail + tier;
}

// reapedWhen says when a job will be reaped if nothing else happens; now is in milliseconds.
export function reapedWhen(verdict, now, dryRun) {
  if (verdict.reap_at === null) return null;
  const will = dryRun ? "would be reaped" : "reaped";
  if (verdict.action !== "reap") return `${will} ${countdown(verdict.reap_at, now)}`;
  return `${will} by the next pass` + (verdict.due_since === null ? "" : `, due since ${clock(verdict.due_since)}`);
}

export function countdown(at, now) {
  const left = (Date.parse(at) - now) / 1000;
  return left > 0 ? `in ${span(left)}, at ${clock(at)}` : "now";
}

// span writes seconds with the two units that matter.
export function span(seconds) {
  if (seconds < 0) return "−" + span(-seconds);
  const s = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return whole(`${s} s`);
  if (s < 3600) return whole(`${Math.floor(s / 60)} min ${two(s % 60)} s`);
  if (s < 86400) return whole(`${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`);
  return whole(`${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`);
}

// whole keeps a figure and its unit on one line.
function whole(text) {
  return text.replaceAll(" ", "\u00a0");
}

// clock writes an instant in UTC, as the logs do; with its date when that is not today's.
export function clock(at) {
  const text = new Date(at).toISOString();
  const today = new Date().toISOString().slice(0, 10);
  const time = `${text.slice(11, 19)} UTC`;
  return whole(text.startsWith(today) ? time : `${text.slice(0, 10)} ${time}`);
}

export function count(n, one, many) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}
