// What happened, as a tree: nodes, their attempts, and the calls of each.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type RunPage } from "../api";
import type { NodeView } from "../documents";
import { count, duration, money, tame } from "../format";
import { Attempt } from "./Attempt";
import { Command, Phase, quoted } from "./small";
import { Loading, Problem } from "./states";

// With more nodes, only those that failed are open at first.
const MOST_OPEN = 30;

export function TraceTree({ page, choose }: { page: RunPage; choose: (path: string) => void }) {
  const { run } = page;
  // Below the key of the run: it is read again when the run has changed.
  const found = useQuery({
    queryKey: ["run", run.namespace, run.name, "trace"],
    queryFn: () => api.trace(run.namespace, run.name),
  });
  if (found.isPending) return <Loading what="the trace" />;
  if (!found.data) return <Problem error={found.error as Error} retry={() => found.refetch()} />;
  const nodes = found.data.nodes.filter((node) => node.attempts.length > 0);
  return (
    <section className="tree" aria-label="Trace">
      {nodes.length === 0 && <p className="dim">No attempt has begun.</p>}
      <ol>
        {nodes.map((node) => (
          <Branch key={node.path} node={node} open={nodes.length <= MOST_OPEN || node.phase === "Failed"} choose={choose} />
        ))}
      </ol>
      <Command text={`waypost trace ${quoted(run.name)} -n ${quoted(run.namespace)}`} />
    </section>
  );
}

function Branch({ node, open, choose }: { node: NodeView; open: boolean; choose: (path: string) => void }) {
  const [shown, setShown] = useState(open);
  const usage = node.usage;
  const facts = [
    plural(node.attempt, "attempt"),
    usage?.modelCalls ? plural(usage.modelCalls, "model call") : "",
    usage?.toolCalls ? plural(usage.toolCalls, "tool call") : "",
    usage?.costUSD ? money(usage.costUSD, !!usage.estimatedModelCalls) : "",
  ];
  return (
    <li>
      <details open={shown} onToggle={(event) => setShown(event.currentTarget.open)}>
        <summary>
          <strong>{tame(node.path)}</strong> <span className="dim">{tame(node.kind)}</span> <Phase phase={node.phase} />{" "}
          <span className="dim">{[duration(node.seconds), ...facts].filter(Boolean).join(" · ")}</span>
        </summary>
        {shown && (
          <>
            <button type="button" className="quiet" onClick={() => choose(node.path)}>Inputs and output of {tame(node.path)}</button>
            <ol className="attempts">
              {node.attempts.map((attempt) => <Attempt key={`${attempt.round}/${attempt.number}`} attempt={attempt} />)}
            </ol>
          </>
        )}
      </details>
    </li>
  );
}

const plural = (number: number, noun: string) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
