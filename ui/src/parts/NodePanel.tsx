// One node: why it is in its phase, its inputs and output, its attempts and their calls.
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { api, type RunPage } from "../api";
import type { ItemsView, JsonValue, NodeIo, NodeView } from "../documents";
import { count, duration, money, tame } from "../format";
import { Link, setQuery } from "../router";
import { report } from "../shell";
import { Attempt } from "./Attempt";
import { CompareAttempts } from "./CompareAttempts";
import { Json, Text } from "./Json";
import { Command, Phase, quoted } from "./small";
import { Loading, Problem } from "./states";
import { answeredBy } from "./who";

export function NodePanel({ page, node }: { page: RunPage; node: NodeView }) {
  const { run } = page;
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    panel.current?.focus({ preventScroll: true });
    // Beside the graph it is in sight already; below it, on a narrow page, it is not.
    if (matchMedia("(max-width: 1000px)").matches) panel.current?.scrollIntoView({ block: "nearest" });
  }, []);
  const where = `${quoted(run.name)} ${quoted(node.path)} -n ${quoted(run.namespace)}`;
  return (
    <section
      className="panel"
      ref={panel}
      tabIndex={-1}
      aria-labelledby="node-title"
      onKeyDown={(event) => event.key === "Escape" && setQuery({ node: "" })}
    >
      <div className="head">
        <h2 id="node-title">{tame(node.path)}</h2>
        <Phase phase={node.phase} />
        <button type="button" className="quiet end" aria-label="Close the node" onClick={() => setQuery({ node: "" })}>✕</button>
      </div>
      <p className="dim">
        {tame(node.kind)}
        {node.stage && ` · ${tame(node.stage)}`}
        {node.iteration && ` · iteration ${tame(node.iteration)}`}
        {node.seconds !== undefined && ` · ${duration(node.seconds)}`}
        {node.usage?.costUSD && ` · ${money(node.usage.costUSD, !!node.usage.estimatedModelCalls)}`}
      </p>
      {(node.reason || node.message) && (
        <p className={`verdict ${node.phase === "Failed" ? "bad" : ""}`}>
          <strong>{tame(node.reason ?? "")}</strong>{node.message && `${node.reason ? ": " : ""}${tame(node.message)}`}
        </p>
      )}
      {node.approval && (
        <p className="verdict">
          Question: {tame(node.approval.message ?? "")}{" "}
          <Link to={["approvals", run.namespace, node.approval.name]}>
            {node.approval.state === "Open" ? (report() ? "Open" : "Answer it") : `${tame(node.approval.state)}${node.approval.decidedBy ? ` by ${answeredBy(node.approval.decidedBy, node.approval.identityVerified)}` : ""}`}
          </Link>
          {!!node.approval.level && ` Escalation level ${node.approval.level}.`}
          {node.approval.state === "Open" && !!node.approval.requesters?.length && ` Cannot be answered by ${tame(node.approval.requesters.join(", "))}, who asked for it.`}
        </p>
      )}
      {node.child && <p>Child run: <Link to={["runs", run.namespace, node.child]}>{tame(node.child)}</Link></p>}
      {node.chosen && <p>Chosen: <strong>{tame(node.chosen)}</strong></p>}
      {node.disposition && (
        <p className="dim">Round {run.round}: {tame(node.disposition)}{node.dispositionMessage && ` — ${tame(node.dispositionMessage)}`}</p>
      )}
      {node.items && <Items items={node.items} page={page} />}
      <InputOutput page={page} node={node} />
      {node.attempts.length > 0 && <Attempts page={page} node={node} />}
      <Part title="Commands">
        <Command text={`waypost io ${where}`} />
        {node.attempts.length > 0 && <Command text={`waypost logs ${where}`} />}
        {!report() && (node.attempts.length > 0 || node.items) && (
          <p><Link to={["runs", run.namespace, run.name, "logs"]} query={{ node: node.path }}>Read its log</Link></p>
        )}
      </Part>
    </section>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return <section className="part"><h3>{title}</h3>{children}</section>;
}

function InputOutput({ page, node }: { page: RunPage; node: NodeView }) {
  const { run } = page;
  // Payloads change with the digests and the phase, not with every change of the run.
  const key = ["io", run.namespace, run.name, node.path, node.phase, node.attempt, node.inputDigest, node.outputDigest];
  const found = useQuery({ queryKey: key, queryFn: () => api.io(run.namespace, run.name, node.path) });
  if (found.isPending) return <Part title="Inputs and output"><Loading what="inputs and output" /></Part>;
  if (!found.data) return <Part title="Inputs and output"><Problem error={found.error as Error} retry={() => found.refetch()} /></Part>;
  const io: NodeIo = found.data;
  return (
    <>
      <Part title="Inputs">
        <Value value={io.inputs} known={io.inputs !== undefined} note={io.inputsNote} schema={io.inputSchema} label="Inputs" />
        {io.same === false && <p className="verdict bad">These are not the recorded inputs: their digest differs.</p>}
      </Part>
      <Part title="Output">
        {io.violations.length > 0 && (
          <ul className="verdict bad">
            {io.violations.map((one) => <li key={one}>{tame(one)}</li>)}
          </ul>
        )}
        <Value value={io.output} wrong={io.violations.map((one) => one.split(": ", 1)[0] ?? "")} known={io.hasOutput} note={io.outputNote} schema={io.outputSchema} label="Output" />
      </Part>
      {io.tail && <Part title="End of its log"><Text text={io.tail} label="End of the log" end /></Part>}
    </>
  );
}

interface ValueProps {
  value?: JsonValue;
  known: boolean;
  note?: string;
  schema?: JsonValue;
  label: string;
  /** Paths that do not match the schema. */
  wrong?: string[];
}

function Value({ value, known, note, schema, label, wrong }: ValueProps) {
  return (
    <>
      {known ? <Json value={value ?? null} label={label} wrong={wrong} /> : <p className="dim">{tame(note ?? "not known")}</p>}
      {schema !== undefined && schema !== null && (
        <details>
          <summary>Schema</summary>
          <Json value={schema} label={`Schema of ${label.toLowerCase()}`} />
        </details>
      )}
    </>
  );
}

function Items({ items, page }: { items: ItemsView; page: RunPage }) {
  return (
    <Part title={`${count(items.total)} items`}>
      <p>
        {count(items.succeeded)} succeeded · {count(items.failed)} failed · {count(items.running)} running
      </p>
      <ul className="items">
        {items.listed.map((item) => (
          <li key={item.path}>
            <Phase phase={item.state} /> {tame(item.path)}
            {item.child && <> · <Link to={["runs", page.run.namespace, item.child]}>child run</Link></>}
            {(item.reason || item.message) && <span className="dim"> {tame([item.reason, item.message].filter(Boolean).join(": "))}</span>}
          </li>
        ))}
      </ul>
      {items.more > 0 && <p className="dim">and {count(items.more)} more of these</p>}
    </Part>
  );
}

function Attempts({ page, node }: { page: RunPage; node: NodeView }) {
  const { run } = page;
  const [calls, setCalls] = useState(() => node.attempts.some((attempt) => attempt.trace));
  const traced = node.attempts.some((attempt) => attempt.traceRecord);
  const trace = useQuery({
    queryKey: ["trace", run.namespace, run.name, node.path, node.attempt, node.phase],
    queryFn: () => api.trace(run.namespace, run.name),
    enabled: calls,
  });
  const detailed = trace.data?.nodes.find((one) => one.path === node.path) ?? node;
  return (
    <Part title={node.attempt === 1 ? "1 attempt" : `${node.attempt} attempts`}>
      <ol className="attempts">
        {detailed.attempts.map((attempt) => <Attempt key={`${attempt.round}/${attempt.number}`} attempt={attempt} />)}
      </ol>
      {!report() && node.attempts.length > 1 && <CompareAttempts page={page} node={node} />}
      {traced && !calls && <button type="button" onClick={() => setCalls(true)}>Show model and tool calls</button>}
      {calls && trace.isPending && <Loading what="calls" />}
      {trace.error && <Problem error={trace.error} />}
    </Part>
  );
}
