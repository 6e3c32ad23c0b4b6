// The page's loop: ask every two seconds while somebody looks, show every second how time goes on.

import { find } from "./find.js";
import { findings } from "./findings.js";
import { Table } from "./table.js";
import { clock, count, span } from "./words.js";

const pollEvery = 2_000;
const patience = 8_000; // longer than one read of the database may take
const limit = 1_000; // jobs asked for
const rows = 200; // and shown, the most urgent: nobody reads more

const element = (id) => document.getElementById(id);
const table = new Table(element("jobs"), rows);

// What is known. Times with "At" are of performance.now(): the browser's clock may be wrong.
let jobsBody = null; // the last answer that had jobs
let jobsAt = 0;
let reaper = null; // the last reaper block, also without jobs
let reaperNow = 0; // the watchdog's own now, with reaper, in milliseconds
let reaperAt = 0;
let failure = null;
let timer = 0;
let asking = false;

async function poll() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    await ask();
  } catch (err) {
    const late = err.name === "TimeoutError";
    failure = { kind: "watchdog", message: late ? `no answer within ${patience / 1000} s` : "it cannot be reached" };
  }
  asking = false;
  show();
  timer = setTimeout(poll, pollEvery);
}

async function ask() {
  const response = await fetch(`queue?limit=${limit}`, { signal: AbortSignal.timeout(patience), cache: "no-store" });
  const body = await response.json().catch(() => ({}));
  if (response.ok && Array.isArray(body.jobs)) {
    jobsBody = body;
    jobsAt = performance.now();
    failure = null;
  } else if (body.error === "unavailable") {
    failure = { kind: "database", message: body.message };
  } else {
    failure = { kind: "watchdog", message: `it answered ${response.status}${body.message ? `, ${body.message}` : ""}` };
    return;
  }
  reaper = body.reaper;
  reaperNow = Date.parse(body.now);
  reaperAt = performance.now();
}

function show() {
  const since = (at) => (performance.now() - at) / 1000;
  const dataAge = jobsBody === null ? null : since(jobsAt);
  // Figures that are not current stand still: a countdown that runs on without news would be a guess.
  const elapsed = current() ? dataAge : 0;

  showFreshness(dataAge);
  showState(findings({
    failure, dataAge, reaper,
    jobs: jobsBody?.jobs ?? [],
    now: watchdogNow(),
  }));
  if (reaper !== null) showFigures();
  if (jobsBody !== null) showJobs(elapsed);
}

// current is false as well just after a tab that was hidden is looked at again.
function current() {
  return failure === null && jobsBody !== null && performance.now() - jobsAt < patience + pollEvery;
}

// watchdogNow stands still while the watchdog does not answer: its silence is told once, not as late passes too.
function watchdogNow() {
  const since = performance.now() - reaperAt;
  return failure?.kind === "watchdog" || since > patience + pollEvery ? reaperNow : reaperNow + since;
}

function showFreshness(dataAge) {
  if (dataAge === null) {
    write(element("freshness"), failure === null ? "Asking the watchdog…" : "No data yet");
    return;
  }
  const state = current() ? "Live" : "Not current";
  write(element("freshness"), `${state}: as of ${clock(jobsBody.now)}, ${span(dataAge)} ago`);
}

function showState(found) {
  const level = found.find((f) => f.level !== "note")?.level ?? (reaper === null ? "unknown" : "fine");
  const serious = found.filter((f) => f.level === level).length;
  const headline = {
    alarm: `${count(serious, "thing is", "things are")} wrong`,
    warning: `${count(serious, "thing needs", "things need")} a look`,
    fine: "Nothing is wrong",
    unknown: "Nothing is known yet",
  }[level];
  write(element("headline"), headline);
  element("state").dataset.level = level;
  document.title = `${headline} – Finalizer watchdog`;

  const list = element("findings");
  while (list.children.length > found.length) list.lastChild.remove();
  found.forEach((finding, i) => {
    const item = list.children[i] ?? list.appendChild(newFinding());
    const [tag, text, hint] = item.children;
    item.dataset.level = finding.level;
    write(tag, finding.level);
    write(text, finding.text);
    write(hint, finding.hint);
  });
}

function newFinding() {
  const item = document.createElement("li");
  for (const name of ["b", "bdi", "small"]) item.append(document.createElement(name));
  return item;
}

function showFigures() {
  const sessions = reaper.finalizer_sessions;
  const statuses = jobsBody?.queue ?? null;
  const jobs = (status) => (statuses === null ? "unknown" : (statuses[status] ?? 0).toLocaleString("en"));
  const passAge = (watchdogNow() - Date.parse(reaper.last_pass_at)) / 1000;
  const figures = [
    ["Open jobs", jobs("running")],
    ["Queued", jobs("queued")],
    ["Owned", reaper.finalizer_owned.toLocaleString("en")],
    ["Sessions", (sessions.pidfd + sessions.pid + sessions.none).toLocaleString("en")],
    ["Deferrals", reaper.finalizer_defers_total.toLocaleString("en")],
    ["Reaped, tier 1/2/3", [1, 2, 3].map((tier) => reaper.reaped_total[tier].toLocaleString("en")).join(" / ")],
    ["Last pass", reaper.last_pass_at === null ? "none" : `${span(Math.max(0, passAge))} ago`],
    ["Switch", reaper.finalizer_liveness_enabled ? "on" : "OFF"],
  ];
  const list = element("figures");
  figures.forEach(([name, value], i) => {
    const figure = list.children[i] ?? list.appendChild(newFigure());
    write(figure.children[0], name);
    write(figure.children[1], value);
  });
  write(element("version"), reaper.version);
  showSettings(Object.entries(reaper.settings).sort());
}

function newFigure() {
  const figure = document.createElement("div");
  figure.append(document.createElement("dt"), document.createElement("dd"));
  return figure;
}

function showSettings(settings) {
  const body = element("settings").tBodies[0];
  while (body.rows.length > settings.length) body.lastChild.remove();
  settings.forEach(([name, value], i) => {
    const row = body.rows[i] ?? body.insertRow();
    while (row.cells.length < 2) row.insertCell();
    write(row.cells[0], name);
    write(row.cells[1], value);
  });
}

function showJobs(elapsed) {
  const { jobs, next, now, queue } = jobsBody;
  element("jobs").hidden = jobs.length === 0;
  element("jobs").classList.toggle("stale", !current());
  table.show(jobs, Date.parse(now) + elapsed * 1000, elapsed, reaper.dry_run);
  write(element("scope"), scope(jobs.length, next, queue));
}

function scope(read, next, queue) {
  if (read === 0) return "No job is open.";
  const parts = [];
  if (read > rows) parts.push(`The ${rows} most urgent of ${count(read, "job", "jobs")}.`);
  else parts.push(`${count(read, "job", "jobs")}, the most urgent first.`);
  if (next !== null) {
    const all = queue === null ? "more" : (queue.running ?? 0).toLocaleString("en");
    parts.push(`These are the first by id; ${all} are open, and queue?after=${next} goes on.`);
  }
  parts.push("The times hold if nothing else happens.");
  if (!current()) parts.push(`Not current: as of ${clock(jobsBody.now)}.`);
  return parts.join(" ");
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

find(element("find"), element("answer"), element("found"), element("jobs").tHead, patience);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) poll();
});
setInterval(() => {
  if (!document.hidden) show();
}, 1_000);
poll();
