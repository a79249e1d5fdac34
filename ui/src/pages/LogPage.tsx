// The log of a node: from its pod, or as it was kept after the pod was gone.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, Refused, type RunPage } from "../api";
import type { NodeView } from "../documents";
import { tame } from "../format";
import { Text } from "../parts/Json";
import { RunCrumbs } from "../parts/RunCrumbs";
import { Command, Phase, quoted } from "../parts/small";
import { Empty, Loading, Problem } from "../parts/states";
import { Link, setQuery, usePlace } from "../router";

const AGAIN = 3000; // ms between two readings of the log of a node that runs

export function LogPage({ namespace, name }: { namespace: string; name: string }) {
  const { query } = usePlace();
  const path = query.get("node") ?? "";
  const attempt = query.get("attempt") ?? "";
  const run = useQuery({ queryKey: ["run", namespace, name], queryFn: () => api.run(namespace, name) });
  if (run.isPending) return <Loading what={`run ${name}`} />;
  if (!run.data) return <Problem error={run.error as Error} retry={() => run.refetch()} />;
  const node = run.data.run.nodes.find((one) => one.path === path.split("/")[0]);
  return (
    <>
      <RunCrumbs namespace={namespace} name={name} node={node?.path} />
      <div className="head">
        <h1>{path ? `Log of ${tame(path)}` : "Logs"}</h1>
        {node && <Phase phase={node.phase} />}
      </div>
      {!node ? <Which page={run.data} missing={path} /> : (
        <>
          <Choices node={node} path={path} attempt={attempt} />
          <Log key={`${path} ${attempt}`} page={run.data} node={node} path={path} attempt={attempt} />
        </>
      )}
    </>
  );
}

function Which({ page, missing }: { page: RunPage; missing: string }) {
  const { run } = page;
  const started = run.nodes.filter((node) => node.attempt > 0 || node.items);
  if (started.length === 0)
    return <Empty title="No logs yet"><p>No node of this run has started a pod.</p></Empty>;
  return (
    <>
      {missing && <p className="verdict bad">The run has no node {tame(missing)}.</p>}
      <p>Of which node?</p>
      <ul className="cards part">
        {started.map((node) => (
          <li key={node.path} className="card">
            <Link to={["runs", run.namespace, run.name, "logs"]} query={{ node: node.path }}>{tame(node.path)}</Link>{" "}
            <Phase phase={node.phase} /> <span className="dim">{tame(node.kind)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Which item of a map, and which attempt. */
function Choices({ node, path, attempt }: { node: NodeView; path: string; attempt: string }) {
  const item = path.includes("/") ? path.slice(path.indexOf("/") + 1) : "";
  const [typed, setTyped] = useState(item);
  useEffect(() => setTyped(item), [item]);
  const attempts = item ? [] : Array.from({ length: node.attempt }, (_, index) => String(index + 1)).reverse();
  const show = () => setQuery({ node: typed ? `${node.path}/${typed}` : node.path, attempt: "" });
  if (!node.items && attempts.length < 2) return null;
  return (
    <div className="log-choices">
      {node.items && (
        <label>
          Item, 0 to {node.items.total - 1}{" "}
          <input type="number" min={0} max={Math.max(node.items.total - 1, 0)} value={typed} onChange={(event) => setTyped(event.target.value)} onKeyDown={(event) => event.key === "Enter" && show()} />{" "}
          <button type="button" onClick={show}>Show</button>
        </label>
      )}
      {attempts.length > 1 && (
        <label>
          Attempt{" "}
          <select value={attempt} onChange={(event) => setQuery({ attempt: event.target.value })}>
            <option value="">latest with a log</option>
            {attempts.slice(0, 100).map((one) => <option key={one} value={one}>{one}</option>)}
          </select>
        </label>
      )}
    </div>
  );
}

interface LogProps {
  page: RunPage;
  node: NodeView;
  path: string;
  attempt: string;
}

function Log({ page, node, path, attempt }: LogProps) {
  const { run } = page;
  const running = !node.finishedAt && node.phase !== "Pending";
  const found = useQuery({
    queryKey: ["log", run.namespace, run.name, path, attempt, node.phase, node.attempt],
    queryFn: () => api.log(run.namespace, run.name, path, attempt),
    refetchInterval: (asked) => (running && !asked.state.error ? AGAIN : false),
  });
  const command = `waypost logs ${quoted(run.name)} ${quoted(path)} -n ${quoted(run.namespace)}${attempt && ` --attempt ${quoted(attempt)}`}`;
  if (found.isPending) return <Loading what="the log" />;
  const none = found.error instanceof Refused && found.error.status === 404;
  return (
    <>
      {none && <Empty title="There is no log"><p>{tame(found.error?.message ?? "")}</p></Empty>}
      {found.error && !none && <Problem error={found.error} retry={() => found.refetch()} />}
      {found.data && !found.error && (
        <>
          <p className="dim">
            Attempt {found.data.attempt}, from {tame(found.data.source)}
            {running && " · read again every 3 seconds"}
          </p>
          {found.data.notes.map((one) => <p key={one} className="verdict">{tame(one)}</p>)}
          <div className="log">
            {found.data.text
              ? <Text text={found.data.text} label={`Log of ${path}`} end />
              : <p className="dim">The log is empty.</p>}
          </div>
        </>
      )}
      <section className="part"><Command text={command} /></section>
    </>
  );
}
