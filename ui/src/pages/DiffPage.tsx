// How two runs differ: definition, inputs, outputs, and what became of each node.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api";
import type { NodePair, RunDifference, RunRow } from "../documents";
import { ago, count, duration, money, tame } from "../format";
import { Changes } from "../parts/Changes";
import { RunCrumbs } from "../parts/RunCrumbs";
import { Command, Phase, quoted } from "../parts/small";
import { Empty, Loading, Problem } from "../parts/states";
import { address, Link, setQuery, usePlace } from "../router";

export function DiffPage({ namespace, name }: { namespace: string; name: string }) {
  const { query } = usePlace();
  const other = query.get("other") ?? "";
  return (
    <>
      <RunCrumbs namespace={namespace} name={name} />
      <div className="head">
        <h1>{other ? "Two runs" : `Compare ${tame(name)}`}</h1>
        {other && (
          <span className="actions">
            <a className="button" href={address(["runs", namespace, other, "diff"], { other: name })}>Swap</a>
            <button type="button" onClick={() => setQuery({ other: "", all: "" })}>Another run</button>
          </span>
        )}
      </div>
      {other ? <Difference namespace={namespace} name={name} other={other} all={query.get("all") === "1"} /> : <Choose namespace={namespace} name={name} />}
    </>
  );
}

/** The runs of the namespace to compare with, newest first. */
function Choose({ namespace, name }: { namespace: string; name: string }) {
  const [text, setText] = useState("");
  const asked = new URLSearchParams({ namespace, limit: "21", ...(text && { q: text }) });
  const found = useQuery({ queryKey: ["runs", asked.toString()], queryFn: () => api.runs(asked), placeholderData: keepPreviousData });
  const rows = (found.data?.items ?? []).filter((row) => row.name !== name).slice(0, 20);
  return (
    <>
      <label className="field">
        <span>With which run?</span>
        <input type="search" placeholder="Name, template, person, reason" value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      {found.error && <Problem error={found.error} retry={() => found.refetch()} />}
      {found.isPending && <Loading what="runs" />}
      {found.data && rows.length === 0 && (
        <Empty title={text ? "No run matches" : "There is no other run"}>
          <p>Only runs of namespace {tame(namespace)} can be compared with this one.</p>
        </Empty>
      )}
      <ul className="cards part">
        {rows.map((row) => (
          <li key={row.name} className="card">
            <Link to={["runs", namespace, name, "diff"]} query={{ other: row.name }}>{tame(row.name)}</Link>{" "}
            <Phase phase={row.phase} />{" "}
            <span className="dim">{ago(row.createdAt)}{row.template && ` · from ${tame(row.template)}`}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Difference({ namespace, name, other, all }: { namespace: string; name: string; other: string; all: boolean }) {
  const found = useQuery({
    queryKey: ["run", namespace, name, "diff", other],
    queryFn: () => api.difference(namespace, name, other),
  });
  if (found.isPending) return <Loading what="both runs" />;
  if (!found.data) return <Problem error={found.error as Error} retry={() => found.refetch()} />;
  const shown = found.data;
  const [first, second] = shown.runs as [RunRow, RunRow];
  return (
    <>
      <dl className="facts">
        <Side title="Before" row={first} />
        <Side title="After" row={second} />
      </dl>
      {name === other && <p className="verdict">This is the same run twice.</p>}
      <Changes title="Definition" listed={shown.spec} />
      <Changes title="Inputs" listed={shown.inputs} />
      <Changes title="Outputs" listed={shown.outputs} />
      {shown.more > 0 && <p className="dim">and {count(shown.more)} more changes, which are not listed</p>}
      <Nodes shown={shown} all={all} />
      <section className="part">
        <h2>As a command</h2>
        <Command text={`waypost diff ${quoted(first.name)} ${quoted(second.name)} -n ${quoted(namespace)}`} />
      </section>
    </>
  );
}

function Side({ title, row }: { title: string; row: RunRow }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd><Link to={["runs", row.namespace, row.name]}>{tame(row.name)}</Link> <Phase phase={row.phase} /> <span className="dim">{ago(row.createdAt)}</span></dd>
    </div>
  );
}

function Nodes({ shown, all }: { shown: RunDifference; all: boolean }) {
  const listed = shown.nodes.filter((pair) => all || pair.differs);
  return (
    <section className="part">
      <h2>Nodes</h2>
      <div className="chips" role="group" aria-label="Which nodes">
        <button type="button" className="chip" aria-pressed={!all} onClick={() => setQuery({ all: "" })}>
          Different <span className="number">{shown.nodes.filter((pair) => pair.differs).length}</span>
        </button>
        <button type="button" className="chip" aria-pressed={all} onClick={() => setQuery({ all: "1" })}>
          All <span className="number">{shown.nodes.length}</span>
        </button>
      </div>
      {listed.length === 0 ? (
        <p className="dim">No difference</p>
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label="Nodes">
          <table className="rows">
            <thead>
              <tr>
                <th scope="col">Node</th>
                <th scope="col">Phase</th>
                <th scope="col">Reason</th>
                <th scope="col">Attempts</th>
                <th scope="col">Duration</th>
                <th scope="col">Cost</th>
                <th scope="col">Output</th>
              </tr>
            </thead>
            <tbody>{listed.map((pair) => <Pair key={pair.path} pair={pair} />)}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Pair({ pair }: { pair: NodePair }) {
  return (
    <tr>
      <th scope="row">{tame(pair.path)}</th>
      <td><Both values={pair.phases.map((one) => one && <Phase phase={one} />)} same={pair.phases[0] === pair.phases[1]} /></td>
      <td className="wide"><Texts values={pair.reasons.map((one) => one && tame(one))} /></td>
      <td><Texts values={pair.attempts.map((one) => (one === null ? null : String(one)))} /></td>
      <td><Texts values={pair.seconds.map((one) => (one === null ? null : duration(one)))} /></td>
      <td><Texts values={pair.costs.map((one) => one && money(one))} /></td>
      <td>{pair.output === "changed" ? <span className="action a-run">changed</span> : <span className="dim">{tame(pair.output)}</span>}</td>
    </tr>
  );
}

function Texts({ values }: { values: (string | null | undefined)[] }) {
  return <Both values={values} same={values[0] === values[1]} />;
}

function Both({ values, same }: { values: React.ReactNode[]; same: boolean }) {
  const [first, second] = values.map((one) => one || "–");
  return same ? <>{first}</> : <span className="both">{first}<span className="dim" role="img" aria-label="then">→</span>{second}</span>;
}
