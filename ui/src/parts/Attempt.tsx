// One attempt: its result, the parts of its time, and its model and tool calls.
import type { AttemptView, JsonValue } from "../documents";
import { absolute, count, duration, tame } from "../format";
import { Phase } from "./small";

export function Attempt({ attempt }: { attempt: AttemptView }) {
  const usage = attempt.usage;
  return (
    <li>
      <p>
        <strong>{attempt.number}</strong> <Phase phase={attempt.reason === "Succeeded" ? "Succeeded" : attempt.finishedAt ? "Failed" : "Running"} />{" "}
        {attempt.reason !== "Succeeded" && tame(attempt.reason ?? "")}
        <span className="dim"> · <time dateTime={attempt.startedAt ?? attempt.launchedAt}>{absolute(attempt.startedAt ?? attempt.launchedAt)}</time> · {duration(attempt.seconds)}</span>
      </p>
      {attempt.message && <p className="dim">{tame(attempt.message)}</p>}
      {attempt.segments.length > 0 && (
        <p className="dim small">{attempt.segments.map((one) => `${tame(one.name)} ${duration(one.seconds)}`).join(" · ")}</p>
      )}
      {usage?.modelCalls !== undefined && (
        <p className="dim small">
          {count(usage.modelCalls)} model calls · {count(usage.inputTokens ?? 0)} tokens in, {count(usage.outputTokens ?? 0)} out
          {usage.toolCalls ? ` · ${count(usage.toolCalls)} tool calls` : ""}
        </p>
      )}
      {attempt.trace?.note && <p className="dim">{tame(attempt.trace.note)}</p>}
      {attempt.trace && attempt.trace.entries.length > 0 && (
        <ol className="calls">
          {attempt.trace.entries.slice(0, 200).map((entry, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: entries have no other identity
            <li key={index}><Call entry={entry} /></li>
          ))}
        </ol>
      )}
    </li>
  );
}

function Call({ entry }: { entry: Record<string, JsonValue> }) {
  const { type, start, end, replayed, ...rest } = entry;
  const seconds = typeof start === "string" && typeof end === "string" ? (Date.parse(end) - Date.parse(start)) / 1000 : undefined;
  const text = Object.entries(rest).map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return (
    <>
      <strong>{tame(String(type))}</strong>
      {replayed === true && <span className="tag">replayed</span>} <span className="dim">{duration(seconds)}</span>{" "}
      {tame(text.join(" · "))}
    </>
  );
}
