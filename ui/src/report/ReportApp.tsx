// The frame of a report: when it was made, the page of the run, and what was left out.
import type { RunReport } from "../documents";
import { absolute, tame } from "../format";
import { RunPage } from "../pages/RunPage";
import { Mark, ThemeChoice, ZoneChoice } from "../parts/Frame";
import { Boundary } from "../parts/states";
import { useZone } from "../zone";

export function ReportApp({ report }: { report: RunReport }) {
  const { run } = report;
  const zone = useZone();
  return (
    <>
      <header className="bar">
        <span className="brand"><Mark /> Waypost</span>
        <div className="bar-end">
          <span className="who">
            Report of {absolute(report.readAt)} <span className="dim">· by waypost {tame(report.version)}</span>
          </span>
          <ZoneChoice />
          <ThemeChoice />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {report.leftOut.length > 0 && (
          <section className="obstacles" aria-label="Left out">
            <h2>Not everything is in this report</h2>
            <ul>{report.leftOut.map((one) => <li key={one}>{tame(one)}</li>)}</ul>
          </section>
        )}
        <Boundary key={zone}>
          <RunPage namespace={run.namespace} name={run.name} />
        </Boundary>
      </main>
    </>
  );
}
