// How two attempts of a node differ: of one round, of two rounds, or of two iterations.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type RunPage } from "../api";
import type { AttemptView, NodeView } from "../documents";
import { count, tame } from "../format";
import { Changes } from "./Changes";
import { Command, quoted } from "./small";
import { Loading, Problem } from "./states";

export function CompareAttempts({ page, node }: { page: RunPage; node: NodeView }) {
  const { run } = page;
  const last = node.attempts.slice(-2).map((one) => one.number);
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState<number[]>([]);
  const pair = [chosen[0] ?? last[0] ?? 0, chosen[1] ?? last[1] ?? 0];
  const found = useQuery({
    queryKey: ["run", run.namespace, run.name, "attempts", node.path, ...pair],
    queryFn: () => api.attempts(run.namespace, run.name, node.path, pair),
    enabled: open && pair[0] !== pair[1],
  });
  const choose = (which: number) => (event: { target: HTMLSelectElement }) =>
    setChosen(pair.map((one, at) => (at === which ? Number(event.target.value) : one)));
  return (
    <details className="compare" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Compare two attempts</summary>
      <div className="buttons">
        <Choice label="First attempt" attempts={node.attempts} value={pair[0] ?? 0} onChange={choose(0)} />
        <Choice label="Second attempt" attempts={node.attempts} value={pair[1] ?? 0} onChange={choose(1)} />
      </div>
      {pair[0] === pair[1] && <p className="dim">Choose two different attempts.</p>}
      {found.isLoading && <Loading what="both attempts" />}
      {found.error && <Problem error={found.error} retry={() => found.refetch()} />}
      {found.data && pair[0] !== pair[1] && (
        <>
          <Changes title="Inputs" listed={found.data.inputs} note={found.data.inputsNote} heading="h4" />
          <Changes title="Output" listed={found.data.output} note={found.data.outputNote} heading="h4" />
          {found.data.more > 0 && <p className="dim">and {count(found.data.more)} more</p>}
        </>
      )}
      <Command text={`waypost io ${quoted(run.name)} ${quoted(node.path)} --attempts ${pair.join(",")} -n ${quoted(run.namespace)}`} />
    </details>
  );
}

interface ChoiceProps {
  label: string;
  attempts: AttemptView[];
  value: number;
  onChange: (event: { target: HTMLSelectElement }) => void;
}

function Choice({ label, attempts, value, onChange }: ChoiceProps) {
  return (
    <label>
      <span className="hidden">{label}</span>
      <select value={value} onChange={onChange}>
        {attempts.map((one) => (
          <option key={one.number} value={one.number}>
            {one.number} · round {one.round}
            {one.iteration !== undefined && ` · iteration ${one.iteration}`} · {tame(one.reason ?? "running")}
          </option>
        ))}
      </select>
    </label>
  );
}
