// What the dashboard's JSON may be, from Grafana's own types. Grafana leaves the options of a panel and the fields of
// a query open; here each panel type has its own, and every query is one to Prometheus.
import type * as dashboards from "@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as timeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as series from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// JSON has the values of enums, not their names.
export type Plain<T> = T extends string ? `${T}` : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

export interface Query {
  refId: string;
  expr: string;
  legendFormat: string;
  range: boolean;
  instant?: boolean;
  format?: "time_series" | "table" | "heatmap";
}

interface Organize {
  id: "organize";
  options: {
    excludeByName: Record<string, boolean>;
    indexByName: Record<string, number>;
    renameByName: Record<string, string>;
  };
}

interface Of<Type extends string, Options, Custom> extends Omit<dashboards.Panel, "type" | "options" | "fieldConfig" | "targets" | "transformations"> {
  type: Type;
  id: number;
  title: string;
  description: string;
  gridPos: dashboards.GridPos;
  datasource: dashboards.DataSourceRef;
  targets: Query[];
  transformations?: Organize[];
  options: Options;
  fieldConfig: Omit<dashboards.FieldConfigSource, "defaults"> & {
    defaults: Omit<dashboards.FieldConfig, "custom"> & { custom?: Custom };
  };
}

type Panel =
  | dashboards.RowPanel
  | Of<"heatmap", heatmap.Options, heatmap.FieldConfig>
  | Of<"stat", stat.Options, never>
  | Of<"state-timeline", timeline.Options, timeline.FieldConfig>
  | Of<"table", table.Options, table.FieldConfig>
  | Of<"timeseries", series.Options, series.FieldConfig>;

// What Prometheus' annotations have beside Grafana's.
interface Annotation extends dashboards.AnnotationQuery {
  expr: string;
  step?: string;
  titleFormat: string;
  textFormat: string;
  tagKeys?: string;
  useValueForTime?: "false" | "on";
}

type Variable = dashboards.VariableModel & { definition?: string };

export type Checked = Plain<
  Omit<dashboards.Dashboard, "id" | "panels" | "annotations" | "templating"> & {
    uid: string;
    title: string;
    schemaVersion: 42;
    panels: Panel[];
    annotations: { list: Annotation[] };
    templating: { list: Variable[] };
  }
>;
