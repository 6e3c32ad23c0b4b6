// The look-up of one job by its id. What it shows is of that instant, and stays until the next.

import { Table } from "./table.js";
import { clock } from "./words.js";

// find answers the form's question in the output and the table, which gets the other's head.
export function find(form, output, table, head, patience) {
  const found = new Table(table, 1);
  table.tBodies[0].before(head.cloneNode(true));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.value = "Asking…";
    const { text, body } = await ask(form.elements.job.value, patience);
    output.value = text;
    table.hidden = body === null;
    if (body !== null) found.show(body.jobs, Date.parse(body.now), 0, body.reaper.dry_run);
  });
}

// ask returns what to say, and the answer if it tells of the job.
async function ask(job, patience) {
  try {
    const response = await fetch(`queue?job=${encodeURIComponent(job)}`, { signal: AbortSignal.timeout(patience), cache: "no-store" });
    const body = await response.json().catch(() => ({}));
    if (response.ok && Array.isArray(body.jobs)) return { text: `As of ${clock(body.now)}.`, body };
    return { text: body.message ?? `It answered ${response.status}.`, body: null };
  } catch {
    return { text: "The watchdog does not answer.", body: null };
  }
}
