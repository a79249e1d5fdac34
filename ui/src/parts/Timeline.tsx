// Where the time went: a row for each node, a bar for each attempt, split into its segments; in the
// work of an agent, what it did.
import { useQuery } from "@tanstack/react-query";
import { api } from "../api";
import type { AttemptView, NodeView, RunView } from "../documents";
import { absolute, duration, tame } from "../format";

const MOST_BARS = 50;
const NAMES: Record<string, string> = {
  queue: "queue", scheduling: "scheduling", pull: "image pull", startup: "start-up", work: "work", wait: "waiting",
};

const CALLS: Record<string, string> = { model: "model call", tool: "tool call", wait: "wait for the provider" };
const MOST_CALLS = 100;

interface Bar {
  start: number;
  end: number;
  kind: string;
  text: string;
  /** Inside the bar of the work. */
  call?: boolean;
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
  const done = calls(attempt);
  if (attempt.segments.length > 0)
    return [
      ...attempt.segments.map((one) => ({
        start: Date.parse(one.start),
        end: Date.parse(one.end),
        kind: one.name + (one.name === "work" ? failed : ""),
        text: about(one.name, one.seconds),
      })),
      ...done,
    ];
  const start = Date.parse(attempt.startedAt ?? attempt.launchedAt);
  const end = attempt.finishedAt ? Date.parse(attempt.finishedAt) : now;
  return [{ start, end, kind: `work${failed}`, text: about("work", (end - start) / 1000) }, ...done];
}

/** What an attempt did inside its work. Replayed calls took no time. */
function calls(attempt: AttemptView): Bar[] {
  return (attempt.trace?.entries ?? []).flatMap((entry) => {
    const { type, start, end, replayed } = entry;
    if (typeof type !== "string" || !Object.hasOwn(CALLS, type) || replayed === true) return [];
    if (typeof start !== "string" || typeof end !== "string") return [];
    const [from, to] = [Date.parse(start), Date.parse(end)];
    if (!Number.isFinite(from) || !Number.isFinite(to)) return [];
    const text = `attempt ${attempt.number}: ${CALLS[type]}, ${duration((to - from) / 1000)}`;
    return [{ start: from, end: to, kind: `call-${type}`, text, call: true }];
  }).slice(-MOST_CALLS);
}

export function Timeline({ run, chosen, choose }: { run: RunView; chosen: string; choose: (path: string) => void }) {
  const now = run.finishedAt ? Date.parse(run.finishedAt) : Date.now();
  const traced = useQuery({
    queryKey: ["run", run.namespace, run.name, "trace"],
    queryFn: () => api.trace(run.namespace, run.name),
    enabled: run.nodes.some((node) => node.attempts.some((attempt) => attempt.traceRecord && !attempt.trace)),
  });
  const detailed = new Map(traced.data?.nodes.map((node) => [node.path, node]));
  // The run is newer than its trace may be: of that, only the attempts that it knows too.
  const rows = run.nodes.map((node) => {
    const more = detailed.get(node.path)?.attempts;
    const trace = (one: AttemptView) => more?.find((two) => two.round === one.round && two.number === one.number)?.trace;
    const attempts = node.attempts.map((one) => ({ ...one, trace: one.trace ?? trace(one) }));
    return { node, bars: bars({ ...node, attempts }, now) };
  });
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
                  className={`bar-part s-${bar.kind}${bar.call ? " call" : ""}`}
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
        {Object.entries(CALLS).map(([key, name]) => (
          <li key={key}><span className={`swatch s-call-${key}`} aria-hidden="true" />{name}</li>
        ))}
      </ul>
    </div>
  );
}
