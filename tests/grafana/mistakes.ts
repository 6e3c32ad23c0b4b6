// Mistakes that the types must find: a check that accepts everything would pass too.
import type { Checked } from "./types.js";

type Panel = Checked["panels"][number];

const place = { x: 0, y: 0, w: 6, h: 4 };
const beginning = { id: 1, title: "", description: "", datasource: {}, gridPos: place, targets: [] };

// @ts-expect-error a panel type that Grafana does not have
export const unknown: Panel = { ...beginning, type: "graph", options: {}, fieldConfig: { defaults: {}, overrides: [] } };

export const misspelt: Panel = {
  ...beginning,
  type: "table",
  // @ts-expect-error an option that a table does not have
  options: { showHeader: true, frameIndex: 0, showHeaders: true },
  fieldConfig: { defaults: {}, overrides: [] },
};

export const misvalued: Panel = {
  ...beginning,
  type: "table",
  // @ts-expect-error a value that is none of the enum's
  options: { showHeader: true, frameIndex: 0, cellHeight: "small" },
  fieldConfig: { defaults: {}, overrides: [] },
};

// @ts-expect-error a schema that was never checked
export const later: Checked["schemaVersion"] = 43;
