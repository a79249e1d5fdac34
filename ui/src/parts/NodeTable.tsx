// The nodes of a run as a table: what remains readable with hundreds of them.
import type { RunView } from "../documents";
import { count, cut, duration, money, tame } from "../format";
import { Phase } from "./small";

export function NodeTable({ run, chosen, choose }: { run: RunView; chosen: string; choose: (path: string) => void }) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Nodes">
      <table className="rows">
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Kind</th>
            <th scope="col">Phase</th>
            <th scope="col">Reason</th>
            <th scope="col" className="right">Attempts</th>
            <th scope="col" className="right">Duration</th>
            <th scope="col" className="right">Tokens</th>
            <th scope="col" className="right">Cost</th>
          </tr>
        </thead>
        <tbody>
          {run.nodes.map((node) => (
            <tr key={node.path} className={node.path === chosen ? "chosen" : ""}>
              <th scope="row">
                <button type="button" className="link" aria-pressed={node.path === chosen} onClick={() => choose(node.path)}>
                  {tame(node.path)}
                </button>
              </th>
              <td>{tame(node.kind)}{node.items && ` × ${count(node.items.total)}`}</td>
              <td><Phase phase={node.phase} /></td>
              <td className="wide">{tame(cut([node.reason, node.message].filter(Boolean).join(": ") || "–", 120))}</td>
              <td className="right">{node.attempt || "–"}</td>
              <td className="right">{duration(node.seconds)}</td>
              <td className="right">{node.usage ? count((node.usage.inputTokens ?? 0) + (node.usage.outputTokens ?? 0)) : "–"}</td>
              <td className="right">{money(node.usage?.costUSD, !!node.usage?.estimatedModelCalls)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
