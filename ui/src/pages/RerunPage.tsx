// What a new round of a run would keep, run and skip, and what it would cost; then begins it.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Wanted } from "../api";
import type { RerunPreview, RoundMemory, RoundNode, RunGraph } from "../documents";
import { count, money, tame } from "../format";
import { useMe } from "../parts/me";
import { RunCrumbs } from "../parts/RunCrumbs";
import { Command, Phase, quoted } from "../parts/small";
import { Loading, Problem } from "../parts/states";
import { Link, setQuery, usePlace } from "../router";

const WORDS: Record<string, string> = { keep: "kept", run: "run", skip: "skipped" };

function names(text: string | null): string[] {
  return (text ?? "").split(",").filter(Boolean);
}

export function RerunPage({ namespace, name }: { namespace: string; name: string }) {
  const { query } = usePlace();
  const wanted: Wanted = {
    from: names(query.get("from")),
    skip: names(query.get("skip")),
    latest: query.get("latest") === "1",
    refreshMemory: query.get("memory") === "1",
  };
  const run = useQuery({ queryKey: ["run", namespace, name], queryFn: () => api.run(namespace, name) });
  const found = useQuery({
    // Below the key of the run, so that a change of the run is a new preview.
    queryKey: ["run", namespace, name, "rerun", wanted],
    queryFn: () => api.preview(namespace, name, wanted),
    placeholderData: keepPreviousData,
  });
  // Nodes of finally run at the end of every round; nothing can be chosen for them.
  const last = new Set(run.data?.graph.nodes.filter((node) => node.stage).map((node) => node.path));
  return (
    <>
      <RunCrumbs namespace={namespace} name={name} />
      <div className="head"><h1>Rerun {tame(name)}</h1></div>
      {run.data && <Choices graph={run.data.graph} wanted={wanted} template={!!run.data.run.template} memory={found.data?.memory} />}
      {found.error && <Problem error={found.error} retry={() => found.refetch()} />}
      {found.isPending && <Loading what="what a new round would do" />}
      {found.data && !found.error && <Preview shown={found.data} wanted={wanted} last={last} />}
    </>
  );
}

function Choices({ graph, wanted, template, memory }: { graph: RunGraph; wanted: Wanted; template: boolean; memory?: RoundMemory }) {
  const reached = new Set(graph.edges.map((edge) => edge.to));
  const roots = graph.nodes.filter((node) => !reached.has(node.path) && !node.stage).map((node) => node.path);
  const all = roots.length > 0 && roots.every((path) => wanted.from.includes(path)) && roots.length === wanted.from.length;
  const none = wanted.from.length === 0;
  return (
    <>
      <div className="chips" role="group" aria-label="Run again">
        <button type="button" className="chip" aria-pressed={none} onClick={() => setQuery({ from: "" })}>What failed</button>
        <button type="button" className="chip" aria-pressed={all} onClick={() => setQuery({ from: roots.join(",") })}>Everything, from the start</button>
        {!none && !all && <span className="chip-note">the nodes you chose, and all after them</span>}
      </div>
      {template && (
        <label className="choice">
          <input type="checkbox" checked={wanted.latest} onChange={(event) => setQuery({ latest: event.target.checked ? "1" : "" })} />{" "}
          Take the current version of the template
        </label>
      )}
      {(memory || wanted.refreshMemory) && (
        <label className="choice">
          <input type="checkbox" checked={wanted.refreshMemory} onChange={(event) => setQuery({ memory: event.target.checked ? "1" : "" })} />{" "}
          Read the memory again
        </label>
      )}
    </>
  );
}

function Preview({ shown, wanted, last }: { shown: RerunPreview; wanted: Wanted; last: Set<string> }) {
  if (shown.problems.length > 0)
    return (
      <section className="verdict bad" role="alert">
        <strong>Round {shown.round} would be rejected, and nothing would change:</strong>
        <ul>{shown.problems.map((one) => <li key={one}>{tame(one)}</li>)}</ul>
        <Chosen wanted={wanted} />
      </section>
    );
  const counts = ["keep", "run", "skip"].map((action) => `${shown.nodes.filter((node) => node.action === action).length} ${WORDS[action]}`);
  return (
    <>
      <p className="verdict"><strong>Round {shown.round}:</strong> {counts.join(", ")}. {cost(shown)}</p>
      {shown.afterCleanup && <p className="verdict">It begins after compensations and finally, whose ends may change it.</p>}
      {shown.memory?.refresh && (
        <p className="verdict">
          The memory of {tame(shown.memory.key)} is read again when it begins. The run has read {count(shown.memory.episodes)} Episodes and {count(shown.memory.facts)} facts of it.
        </p>
      )}
      <Chosen wanted={wanted} />
      <Nodes nodes={shown.nodes} wanted={wanted} last={last} />
      <Begin shown={shown} wanted={wanted} />
    </>
  );
}

/** What was chosen, also names that the run does not have, so that each can be taken back. */
function Chosen({ wanted }: { wanted: Wanted }) {
  const fields = (["from", "skip"] as const).flatMap((field) => wanted[field].map((path) => ({ field, path })));
  if (fields.length === 0) return null;
  return (
    <ul className="chips" aria-label="Chosen nodes">
      {fields.map(({ field, path }) => (
        <li key={field + path}>
          <button type="button" className="chip" onClick={() => setQuery({ [field]: wanted[field].filter((one) => one !== path).join(",") })}>
            {field === "from" ? "run again" : "skip"}: {tame(path)} <span aria-hidden="true">✕</span>
            <span className="hidden">, take back</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function cost(shown: RerunPreview): string {
  const known = [
    shown.cost.modelCalls ? `${count(shown.cost.modelCalls)} model calls` : "",
    shown.cost.totalTokens ? `${count(shown.cost.totalTokens)} tokens` : "",
    shown.cost.costUSD ? money(shown.cost.costUSD, shown.cost.estimated) : "",
  ].filter(Boolean);
  const text = known.length ? `Cost to come, as the last time: ${known.join(", ")}` : "No cost to come is known";
  return shown.cost.unknown.length ? `${text}; not known for ${tame(shown.cost.unknown.join(", "))}.` : `${text}.`;
}

function Nodes({ nodes, wanted, last }: { nodes: RoundNode[]; wanted: Wanted; last: Set<string> }) {
  if (nodes.length === 0) return <p className="dim">The run has no nodes yet.</p>;
  const toggle = (field: "from" | "skip", path: string) => {
    const other = field === "from" ? "skip" : "from";
    const has = wanted[field].includes(path);
    setQuery({
      [field]: (has ? wanted[field].filter((one) => one !== path) : [...wanted[field], path]).join(","),
      [other]: wanted[other].filter((one) => one !== path).join(","),
    });
  };
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="What the round does">
      <table className="rows">
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Round</th>
            <th scope="col">Now</th>
            <th scope="col">Effect</th>
            <th scope="col">Why</th>
            <th scope="col">Choose</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((node) => (
            <tr key={node.path}>
              <th scope="row">{tame(node.path)} <span className="dim small">{tame(node.kind)}</span></th>
              <td><span className={`action a-${node.action}`}>{WORDS[node.action] ?? tame(node.action)}</span></td>
              <td><Phase phase={node.phase} /></td>
              <td>{node.effect === "none" ? <span className="dim">none</span> : <span className="tag">{tame(node.effect)}</span>}</td>
              <td className="wide">
                {tame(node.message ?? "it has not started")}
                {node.stops && <span className="dim"> · stops {tame(node.stops)}</span>}
              </td>
              <td>
                <span className="pair">
                  {!last.has(node.path) && (
                    <button type="button" className="small-button" aria-pressed={wanted.from.includes(node.path)} aria-label={`run again: ${node.path}`} onClick={() => toggle("from", node.path)}>run again</button>
                  )}
                  {!last.has(node.path) && node.kind !== "approval" && (
                    <button type="button" className="small-button" aria-pressed={wanted.skip.includes(node.path)} aria-label={`skip: ${node.path}`} onClick={() => toggle("skip", node.path)}>skip</button>
                  )}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function command(shown: RerunPreview, wanted: Wanted): string {
  const parts = ["waypost rerun", quoted(shown.name), "-n", quoted(shown.namespace)];
  for (const path of wanted.from) parts.push("--from", quoted(path));
  for (const path of wanted.skip) parts.push("--skip", quoted(path));
  if (wanted.latest) parts.push("--latest");
  if (wanted.refreshMemory) parts.push("--refresh-memory");
  return parts.join(" ");
}

function Begin({ shown, wanted }: { shown: RerunPreview; wanted: Wanted }) {
  const me = useMe(shown.namespace);
  const client = useQueryClient();
  const sent = useMutation({
    mutationFn: () => api.rerun(shown.namespace, shown.name, shown.round, wanted),
    onSettled: () => client.invalidateQueries({ queryKey: ["run", shown.namespace, shown.name] }),
  });
  const why = me.data?.readOnly
    ? "This server is read-only."
    : me.data?.may.change === false
      ? "You have no right to patch runs (role waypost-edit)."
      : "";
  return (
    <section className="part decide" aria-labelledby="begin">
      <h2 id="begin">Begin round {shown.round}</h2>
      {why && <p className="verdict">{why}</p>}
      <p className="dim">Results that are kept are not paid for again. Outputs that a person gives, and a changed spec, are for the command line (<code>--output</code>, <code>-f</code>).</p>
      {sent.error && <p className="verdict bad" role="alert">{tame(sent.error.message)}</p>}
      {sent.data && (
        <p className="verdict" role="status">
          {tame(sent.data.message)}. <Link to={["runs", shown.namespace, shown.name]}>Show the run</Link>
        </p>
      )}
      <div className="buttons">
        <button type="button" className="primary" disabled={!!why || sent.isPending || sent.isSuccess} onClick={() => sent.mutate()}>
          Begin the round
        </button>
      </div>
      <p className="dim">The same as:</p>
      <Command text={command(shown, wanted)} />
    </section>
  );
}
