// Where the pages are shown: by a server, or in a report, which is one run in one file.
import type { RunReport } from "./documents";

let inlined: RunReport | null = null;

/** The report that is shown; null below a server. */
export function report(): RunReport | null {
  return inlined;
}

/** Reads the document that the command line has put into this page. */
export function openReport(): RunReport {
  inlined = JSON.parse(document.getElementById("report")?.textContent ?? "null") as RunReport;
  return inlined;
}
