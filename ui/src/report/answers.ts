// What pages would ask a server for, from the document of a report.
import { type Api, Refused } from "../api";
import type { NodeIo, NodeView, RunReport } from "../documents";

export function answers(report: RunReport): Partial<Api> {
  const { run, graph } = report;
  return {
    run: async () => ({ run, graph, suspended: report.suspended, cancelled: report.cancelled }),
    trace: async () => run,
    manifest: async () => report.manifest ?? Promise.reject(new Refused(404, missing(report))),
    io: async (_namespace, _name, path) => report.values[path] ?? without(report, run.nodes.find((one) => one.path === path), path),
  };
}

/** The inputs and the output of a node that the report does not have. */
function without(report: RunReport, node: NodeView | undefined, path: string): NodeIo {
  const { run } = report;
  const why = missing(report);
  return {
    v: report.v,
    name: run.name,
    namespace: run.namespace,
    path,
    kind: node?.kind ?? "",
    phase: node?.phase ?? "",
    hasOutput: false,
    violations: [],
    inputsNote: why,
    outputNote: why,
  };
}

function missing(report: RunReport): string {
  return report.withValues ? "left out of this report, which would be too large" : "not in this report; it was written without --values";
}
