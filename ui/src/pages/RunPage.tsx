// One run: what it is, why it does not move, and its nodes as graph, timeline, table, trace or YAML.
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect } from "react";
import { api, type RunPage as Page } from "../api";
import type { NodeView } from "../documents";
import { absolute, count, duration, money, tame } from "../format";
import { Actions } from "../parts/Actions";
import { Manifest } from "../parts/Manifest";
import { NodeTable } from "../parts/NodeTable";
import { NodePanel } from "../parts/NodePanel";
import { Command, Phase, Progress } from "../parts/small";
import { Loading, Problem } from "../parts/states";
import { Timeline } from "../parts/Timeline";
import { TraceTree } from "../parts/TraceTree";
import { startedBy } from "../parts/who";
import { Link, setQuery, usePlace } from "../router";
import { report } from "../shell";

// The graph is most of the code: it is loaded when it is shown.
const loadGraph = () => import("../parts/Graph");
const Graph = lazy(loadGraph);
const VIEWS = { graph: "Graph", timeline: "Timeline", table: "Table", trace: "Trace", yaml: "YAML" } as const;
const MOST_DRAWN = 300;

export function RunPage({ namespace, name }: { namespace: string; name: string }) {
  const { query } = usePlace();
  useEffect(() => {
    loadGraph(); // while the run is read
  }, []);
  const found = useQuery({ queryKey: ["run", namespace, name], queryFn: () => api.run(namespace, name) });
  if (found.isPending) return <Loading what={`run ${name}`} />;
  if (!found.data) return <Problem error={found.error as Error} retry={() => found.refetch()} />;
  const page = found.data;
  const first = page.run.nodes.length > MOST_DRAWN ? "table" : "graph";
  const view = (query.get("view") ?? first) as keyof typeof VIEWS;
  const chosen = query.get("node") ?? "";
  const node = page.run.nodes.find((one) => one.path === chosen);
  return (
    <>
      {found.error && <Problem error={found.error} retry={() => found.refetch()} />}
      <Head page={page} />
      <Obstacles page={page} />
      <div className="chips" role="group" aria-label="View">
        {Object.entries(VIEWS).map(([key, label]) => (
          <button key={key} type="button" className="chip" aria-pressed={view === key} onClick={() => setQuery({ view: key })}>
            {label}
          </button>
        ))}
      </div>
      <div className={node ? "split" : ""}>
        <div className="main-part">
          <View view={view} page={page} chosen={chosen} />
        </div>
        {node && <NodePanel key={node.path} page={page} node={node} />}
      </div>
    </>
  );
}

function View({ view, page, chosen }: { view: string; page: Page; chosen: string }) {
  const choose = useCallback((path: string) => setQuery({ node: path === chosen ? "" : path }), [chosen]);
  if (view === "yaml") return <Manifest page={page} />;
  if (page.run.nodes.length === 0) return <p className="dim">The run has no nodes yet.</p>;
  if (view === "timeline") return <Timeline run={page.run} chosen={chosen} choose={choose} />;
  if (view === "trace") return <TraceTree page={page} choose={choose} />;
  if (view === "table") return <NodeTable run={page.run} chosen={chosen} choose={choose} />;
  return (
    <Suspense fallback={<Loading what="graph" />}>
      <Graph graph={page.graph} chosen={chosen} choose={choose} />
    </Suspense>
  );
}

function Head({ page }: { page: Page }) {
  const { run } = page;
  const usage = run.usage;
  const at = ["runs", run.namespace, run.name];
  const facts: [string, string][] = [
    ["Duration", duration(run.seconds)],
    ["Tokens", usage ? count((usage.totalTokens ?? 0) || (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)) : "–"],
    ["Cost", money(usage?.costUSD, !!usage?.estimatedModelCalls)],
    ["Started", absolute(run.startedAt) || "–"],
    ["By", startedBy(run)],
  ];
  if (run.template) facts.push(["Template", `${tame(run.template.name)} (generation ${run.template.generation})`]);
  if (run.memory) facts.push(["Memory", `${tame(run.memory.key)}: ${count(run.memory.episodes)} Episodes, ${count(run.memory.facts)} facts`]);
  if (run.round > 1) facts.push(["Round", String(run.round)]);
  return (
    <section className="run-head" aria-label="Run">
      <p className="crumbs">
        <Link to={["runs"]}>Runs</Link> / {tame(run.namespace)}
        {run.parent && <> / <Link to={["runs", run.namespace, run.parent]}>{tame(run.parent)}</Link></>}
      </p>
      <div className="head">
        <h1>{tame(run.name)}</h1>
        <Phase phase={run.phase} />
        {run.stage && run.stage !== "Main" && <span className="tag">{tame(run.stage)}</span>}
        <Progress text={tame(run.progress)} />
        {!report() && (
          <>
            <Actions page={page} />
            <nav className="actions" aria-label="More about this run">
              <Link className="button" to={[...at, "rerun"]}>Rerun…</Link>
              <Link className="button" to={[...at, "diff"]}>Compare…</Link>
              <Link className="button" to={[...at, "logs"]}>Logs</Link>
            </nav>
          </>
        )}
      </div>
      <dl className="facts">
        {facts.map(([term, value]) => (
          <div key={term}><dt>{term}</dt><dd>{value}</dd></div>
        ))}
      </dl>
      {run.reason && run.reason !== "Succeeded" && (
        <p className={`verdict ${run.phase === "Failed" || run.phase === "Rejected" ? "bad" : ""}`}>
          <strong>{tame(run.reason)}</strong>{run.message && `: ${tame(run.message)}`}
        </p>
      )}
      {run.compensation && <p className="verdict bad">{tame(run.compensation)}</p>}
      <Broken nodes={run.nodes} />
    </section>
  );
}

/** Where the chain broke: the nodes that failed, with their reasons. */
function Broken({ nodes }: { nodes: NodeView[] }) {
  const failed = nodes.filter((node) => node.phase === "Failed").slice(0, 5);
  if (failed.length === 0) return null;
  return (
    <ul className="broken">
      {failed.map((node) => (
        <li key={node.path}>
          <button type="button" className="link" onClick={() => setQuery({ node: node.path })}>{tame(node.path)}</button>{" "}
          failed: <strong>{tame(node.reason ?? "unknown")}</strong>
          {node.message && <span> — {tame(node.message)}</span>}
        </li>
      ))}
    </ul>
  );
}

function Obstacles({ page }: { page: Page }) {
  const found = page.run.obstacles;
  if (found.length === 0) return null;
  return (
    <section className="obstacles" aria-label="Why it does not move">
      <h2>Why it does not move</h2>
      <ul>
        {found.map((one) => (
          <li key={`${one.node}${one.what}${one.text}`}>
            <span>{one.node && <strong>{tame(one.node)}: </strong>}{tame(one.text)}</span>
            {one.command && <Command text={one.command} />}
          </li>
        ))}
      </ul>
    </section>
  );
}
