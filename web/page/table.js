// The table of open jobs. Rows are kept from one reading to the next and only changed texts are written, so
// that a selection, the scroll and a screen reader's place survive. All text goes through textContent.

import { clock, countdown, kind, reapedWhen, span, verdictReason, verdictWord } from "./words.js";

const urgency = ["reap", "problem", "defer", "wait"];
const labels = ["Job", "Stage", "Owner", "Step", "Age", "Verdict"];

export class Table {
  #body;
  #most;
  #rows = new Map();

  // A table shows so many jobs at most.
  constructor(table, most) {
    this.#body = table.tBodies[0];
    this.#most = most;
  }

  // show writes the jobs as they are at now; elapsed is how many seconds after their reading that is.
  show(jobs, now, elapsed, dryRun) {
    const sorted = [...jobs].sort(moreUrgent).slice(0, this.#most);
    const kept = new Set(sorted.map((job) => job.job));
    for (const [id, row] of this.#rows) {
      if (!kept.has(id)) {
        row.remove();
        this.#rows.delete(id);
      }
    }
    let place = this.#body.firstChild;
    for (const job of sorted) {
      const row = this.#row(job.job);
      fill(row, job, now, elapsed, dryRun);
      if (row === place) place = row.nextSibling;
      else this.#body.insertBefore(row, place);
    }
  }

  #row(id) {
    let row = this.#rows.get(id);
    if (row === undefined) {
      row = newRow();
      this.#rows.set(id, row);
    }
    return row;
  }
}

// moreUrgent puts first what is reaped, then what doubt keeps, and within a kind what is reaped the soonest.
function moreUrgent(a, b) {
  const at = (job) => (job.verdict.reap_at === null ? Infinity : Date.parse(job.verdict.reap_at));
  const rank = (job) => urgency.indexOf(kind(job.verdict));
  return rank(a) - rank(b) || compare(at(a), at(b)) || (b.age_s ?? 0) - (a.age_s ?? 0) || compare(a.job, b.job);
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

function newRow() {
  const row = document.createElement("tr");
  row.setAttribute("role", "row"); // told, because a narrow screen shows rows as blocks
  for (const label of labels) {
    const head = label === "Job";
    const cell = document.createElement(head ? "th" : "td");
    cell.setAttribute("role", head ? "rowheader" : "cell");
    cell.dataset.label = label;
    row.append(cell);
  }
  return row;
}

function fill(row, job, now, elapsed, dryRun) {
  const [id, stage, owner, step, age, verdict] = row.cells;
  row.dataset.kind = kind(job.verdict);
  lines(id, [["strong", job.job], ["", job.task], ["dim", runLine(job)]]);
  lines(stage, [["", job.stage ?? "unknown"]]);
  lines(owner, ownerLines(job, elapsed));
  lines(step, [["", job.owner?.step ?? null], ["dim", budget(job.owner, now)]]);
  lines(age, [["strong", job.age_s === null ? "unknown" : span(job.age_s + elapsed)], ["dim", finished(job, elapsed)]]);
  lines(verdict, [
    ["word", verdictWord(job.verdict, dryRun)],
    ["", verdictReason(job.verdict)],
    ["dim", heldWhen(job, now)],
    ["dim", changesWhen(job.verdict, now)],
    ["dim", reapedWhen(job.verdict, now, dryRun)],
  ]);
}

// heldWhen is told where the verdict has another reason; where the promise is the reason, it ends when that changes.
function heldWhen(job, now) {
  if (job.held_until === null || job.verdict.reason === "held") return null;
  return `promise ends ${countdown(job.held_until, now)}`;
}

function changesWhen(verdict, now) {
  return verdict.changes_at === null ? null : `changes ${countdown(verdict.changes_at, now)}`;
}

function runLine(job) {
  const parts = [];
  if (job.run !== null) parts.push(`run ${job.run}`);
  if (job.attempt !== null) parts.push(`attempt ${job.attempt}`);
  return parts.join(", ");
}

function ownerLines(job, elapsed) {
  const found = [];
  for (const [role, owner] of [["", job.owner], ["worker: ", job.worker]]) {
    if (owner === null) continue;
    const pid = owner.pid === null ? "" : `, pid ${owner.pid}`;
    const proof = owner.proof === "none" ? ", death not provable" : "";
    found.push(["state", role + owner.state, owner.state], ["", `${owner.name ?? "no name"}${pid}`],
      ["dim", `heard ${span(owner.beat_age_s + elapsed)} ago${proof}`]);
  }
  return found.length > 0 ? found : [["dim", "nobody"]];
}

function budget(owner, now) {
  if (owner?.step_until == null) return null;
  if (Date.parse(owner.step_until) <= now) return `budget ended at ${clock(owner.step_until)}`;
  return `budget ends ${countdown(owner.step_until, now)}`;
}

function finished(job, elapsed) {
  if (job.finished_age_s === null) return "run not finished";
  const exit = job.exit_code === null ? "" : `, exit ${job.exit_code}`;
  return `run finished ${span(job.finished_age_s + elapsed)} ago${exit}`;
}

// lines writes a cell's lines: a class, a text and, for the style sheet, a value. Empty texts are left out.
function lines(cell, wanted) {
  const shown = wanted.filter(([, text]) => text !== null && text !== "");
  while (cell.children.length > shown.length) cell.lastChild.remove();
  shown.forEach(([style, text, value], i) => {
    const line = cell.children[i] ?? cell.appendChild(document.createElement("bdi"));
    if (line.className !== style) line.className = style;
    if ((line.dataset.value ?? "") !== (value ?? "")) line.dataset.value = value ?? "";
    if (line.textContent !== text) line.textContent = text;
    if (line.title !== (text.length > 120 ? text : "")) line.title = text.length > 120 ? text : "";
  });
}
