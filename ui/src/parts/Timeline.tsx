// Where the time went: a row for each node, a bar for each attempt, split into its segments.
import type { AttemptView, NodeView, RunView } from "../documents";
import { absolute, duration, tame } from "../format";

const MOST_BARS = 50;
const NAMES: Record<string, string> = {
  queue: "queue", scheduling: "scheduling", pull: "image pull", startup: "start-up", work: "work", wait: "waiting",
};

interface Bar {
  start: number;
  end: number;
  kind: string;
  text: string;
}

function bars(node: NodeView, now: number): Bar[] {
  const found = node.attempts.slice(-MOST_BARS).flatMap((attempt) => ofAttempt(attempt, now));
  if (found.length > 0 || !node.startedAt) return found;
  const start = Date.parse(node.startedAt);
  const end = node.finishedAt ? Date.parse(node.finishedAt) : now;
  return [{ start, end, kind: "wait", text: `waiting, ${duration((end - start) / 1000)}` }];
}

function ofAttempt(attempt: AttemptView, now: number): Bar[] {
  const about = (name: string, seconds: number) =>
    `attempt ${attempt.number}: ${NAMES[name] ?? name}, ${duration(seconds)}${attempt.reason ? ` (${attempt.reason})` : ""}`;
  const failed = attempt.reason && attempt.reason !== "Succeeded" ? " failed" : "";
  if (attempt.segments.length > 0)
    return attempt.segments.map((one) => ({
      start: Date.parse(one.start),
      end: Date.parse(one.end),
      kind: one.name + (one.name === "work" ? failed : ""),
      text: about(one.name, one.seconds),
    }));
  const start = Date.parse(attempt.startedAt ?? attempt.launchedAt);
  const end = attempt.finishedAt ? Date.parse(attempt.finishedAt) : now;
  return [{ start, end, kind: `work${failed}`, text: about("work", (end - start) / 1000) }];
}

export function Timeline({ run, chosen, choose }: { run: RunView; chosen: string; choose: (path: string) => void }) {
  const now = run.finishedAt ? Date.parse(run.finishedAt) : Date.now();
  const rows = run.nodes.map((node) => ({ node, bars: bars(node, now) }));
  const all = rows.flatMap((row) => row.bars);
  const first = Math.min(...all.map((bar) => bar.start));
  const last = Math.max(...all.map((bar) => bar.end));
  if (all.length === 0) return <p className="dim">No node has started yet.</p>;
  const width = Math.max(last - first, 1);
  const at = (time: number) => `${(100 * (time - first)) / width}%`;
  const marks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Timeline">
      <div className="timeline">
        <div className="line axis" aria-hidden="true">
          <span />
          <span className="lane">
            {marks.map((part) => (
              <span key={part} className="mark" style={{ left: `${part * 100}%` }}>
                <span className={part === 1 ? "last" : part === 0 ? "first" : ""}>{duration((part * width) / 1000)}</span>
              </span>
            ))}
          </span>
        </div>
        {rows.map(({ node, bars }) => (
          <div className="line" key={node.path}>
            <button type="button" className="link line-name" aria-pressed={node.path === chosen} title={tame(node.path)} onClick={() => choose(node.path)}>
              {tame(node.path)}
            </button>
            <span className="lane">
              {marks.map((part) => <span key={part} className="mark" style={{ left: `${part * 100}%` }} />)}
              {bars.map((bar, index) => (
                <span
                  // biome-ignore lint/suspicious/noArrayIndexKey: bars have no other identity
                  key={index}
                  className={`bar-part s-${bar.kind}`}
                  role="img"
                  aria-label={tame(`${node.path}, ${bar.text}`)}
                  title={tame(`${bar.text}\n${absolute(new Date(bar.start).toISOString())}`)}
                  style={{ left: at(bar.start), width: `max(3px, ${(100 * (bar.end - bar.start)) / width}%)` }}
                />
              ))}
              {bars.length === 0 && <span className="dim small not-yet">{tame(node.phase)}</span>}
            </span>
          </div>
        ))}
      </div>
      <ul className="legend" aria-label="Colours">
        {Object.entries(NAMES).map(([key, name]) => (
          <li key={key}><span className={`swatch s-${key}`} aria-hidden="true" />{name}</li>
        ))}
        <li><span className="swatch s-work failed" aria-hidden="true" />work of a failed attempt</li>
      </ul>
    </div>
  );
}
