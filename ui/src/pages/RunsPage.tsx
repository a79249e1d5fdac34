// The list of runs: filters in the address, newest first, live.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api } from "../api";
import type { RunRow } from "../documents";
import { between, count, cut, duration, money, tame } from "../format";
import { Bulk, keyOf } from "../parts/Bulk";
import { useMe } from "../parts/me";
import { Empty, Loading, Problem } from "../parts/states";
import { Phase, Progress, Time } from "../parts/small";
import { Link, setQuery, usePlace } from "../router";

const STEP = 100;
const FILTERS = ["namespace", "template", "label", "since"] as const;
const SINCE = { "": "Any time", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" };
const ORDER = ["Running", "Waiting", "Paused", "Suspended", "Pending", "Failed", "Rejected", "Cancelled", "Succeeded"];

export function RunsPage() {
  const { query } = usePlace();
  const phase = query.get("phase") ?? "";
  const text = query.get("q") ?? "";
  const [limit, setLimit] = useState(STEP);
  const asked = new URLSearchParams({ limit: String(limit) });
  if (text) asked.set("q", text);
  if (phase) asked.set("phase", phase);
  for (const name of FILTERS) {
    const value = query.get(name);
    if (value) asked.set(name, value);
  }
  const filtered = !!text || !!phase || FILTERS.some((name) => query.get(name));
  const found = useQuery({
    queryKey: ["runs", asked.toString()],
    queryFn: () => api.runs(asked),
    placeholderData: keepPreviousData,
  });
  const data = found.data;
  const me = useMe();
  // The API server decides about each run; with one namespace, its answer is known before.
  const offered = !!me.data && !me.data.readOnly && (me.data.everywhere || me.data.may.change);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  // Only what is shown can be changed.
  const chosen = (data?.items ?? []).filter((row) => selected.has(keyOf(row)));
  const all = data ? Object.values(data.counts).reduce((sum, one) => sum + one, 0) : 0;
  return (
    <>
      <div className="head">
        <h1>Runs</h1>
        <Search text={text} />
      </div>
      <Filters query={query} namespaces={!!me.data?.everywhere} />
      {data && (
        <div className="chips" role="group" aria-label="Phase">
          <Chip label="All" number={all} chosen={!phase} phase="" />
          {phases(data.counts, phase).map((one) => (
            <Chip key={one} label={one} number={data.counts[one] ?? 0} chosen={phase === one} phase={one} />
          ))}
        </div>
      )}
      {found.error && <Problem error={found.error} retry={() => found.refetch()} />}
      {found.isPending && <Loading what="runs" />}
      {data && data.items.length === 0 && (
        <Empty title={filtered ? "No run matches" : "No runs yet"}>
          {filtered ? (
            <p><Link to={["runs"]}>Show all runs</Link></p>
          ) : (
            <p>Start one: <code>waypost run examples/hello/workflow.yaml</code></p>
          )}
        </Empty>
      )}
      {data && data.items.length > 0 && offered && <Bulk chosen={chosen} clear={() => setSelected(new Set())} />}
      {data && data.items.length > 0 && (
        <Table rows={data.items} selected={offered ? selected : null} select={setSelected} />
      )}
      {data && data.total > data.items.length && (
        <p className="more">
          {count(data.items.length)} of {count(data.total)} runs{" "}
          {limit < 500 ? (
            <button type="button" onClick={() => setLimit(Math.min(limit + STEP, 500))}>Show more</button>
          ) : (
            "— search to see others"
          )}
        </p>
      )}
    </>
  );
}

function phases(counts: Record<string, number>, chosen: string): string[] {
  const known = new Set([...Object.keys(counts), ...(chosen ? [chosen] : [])]);
  return [...known].sort((a, b) => (ORDER.indexOf(a) + 99) % 99 - ((ORDER.indexOf(b) + 99) % 99));
}

function Chip({ label, number, chosen, phase }: { label: string; number: number; chosen: boolean; phase: string }) {
  return (
    <button type="button" className="chip" aria-pressed={chosen} onClick={() => setQuery({ phase })}>
      {tame(label)} <span className="number">{count(number)}</span>
    </button>
  );
}

/** What else the list can be narrowed by; all of it is in the address. */
function Filters({ query, namespaces }: { query: URLSearchParams; namespaces: boolean }) {
  return (
    <div className="filters" role="group" aria-label="Filters">
      {namespaces && <Filter name="namespace" label="Namespace" query={query} />}
      <Filter name="template" label="Template" query={query} />
      <Filter name="label" label="Label" example="team=billing" query={query} />
      <select aria-label="Created" value={query.get("since") ?? ""} onChange={(event) => setQuery({ since: event.target.value })}>
        {Object.entries(SINCE).map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
    </div>
  );
}

function Filter({ name, label, example, query }: { name: string; label: string; example?: string; query: URLSearchParams }) {
  const chosen = query.get(name) ?? "";
  const [typed, setTyped] = useState(chosen);
  useEffect(() => setTyped(chosen), [chosen]);
  const set = () => typed.trim() !== chosen && setQuery({ [name]: typed.trim() });
  return (
    <input
      aria-label={label}
      placeholder={example ? `${label}, ${example}` : label}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={set}
      onKeyDown={(event) => event.key === "Enter" && set()}
    />
  );
}

function Search({ text }: { text: string }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => setQuery({ q: typed }, "replace"), 250);
    return () => clearTimeout(timer);
  }, [typed, text]);
  return (
    <input
      type="search"
      aria-label="Search runs"
      placeholder="Name, template, person, reason"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
    />
  );
}

interface Selection {
  /** The keys of the selected rows; null where nothing can be selected. */
  selected: ReadonlySet<string> | null;
  select: (keys: ReadonlySet<string>) => void;
}

function Table({ rows, selected, select }: { rows: RunRow[] } & Selection) {
  const spaces = new Set(rows.map((row) => row.namespace));
  const whole = !!selected && rows.every((row) => selected.has(keyOf(row)));
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Runs">
      <table className="rows">
        <thead>
          <tr>
            {selected && (
              <td className="check">
                <input
                  type="checkbox"
                  aria-label="Select all runs that are shown"
                  checked={whole}
                  onChange={() => select(new Set(whole ? [] : rows.map(keyOf)))}
                />
              </td>
            )}
            <th scope="col">Run</th>
            {spaces.size > 1 && <th scope="col">Namespace</th>}
            <th scope="col">Phase</th>
            <th scope="col">Progress</th>
            <th scope="col">Waits for / reason</th>
            <th scope="col" className="right">Tokens</th>
            <th scope="col" className="right">Cost</th>
            <th scope="col">Created</th>
            <th scope="col" className="right">Duration</th>
            <th scope="col">By</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={`${row.namespace}/${row.name}`} row={row} namespace={spaces.size > 1} selected={selected} select={select} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row, namespace, selected, select }: { row: RunRow; namespace: boolean } & Selection) {
  const why = row.waiting ?? row.reason ?? "";
  const key = keyOf(row);
  const toggle = () => {
    const next = new Set(selected);
    if (!next.delete(key)) next.add(key);
    select(next);
  };
  return (
    <tr className={selected?.has(key) ? "chosen" : ""}>
      {selected && (
        <td className="check">
          <input type="checkbox" aria-label={`Select ${tame(row.name)}`} checked={selected.has(key)} onChange={toggle} />
        </td>
      )}
      <th scope="row">
        <Link to={["runs", row.namespace, row.name]}>{tame(row.name)}</Link>
        {(row.template || row.round > 1) && (
          <span className="dim small">
            {[row.template && `from ${row.template}`, row.round > 1 && `round ${row.round}`].filter(Boolean).map((one) => tame(String(one))).join(" · ")}
          </span>
        )}
      </th>
      {namespace && <td>{tame(row.namespace)}</td>}
      <td><Phase phase={row.phase} /></td>
      <td><Progress text={tame(row.progress)} /></td>
      <td className="wide" title={tame(why)}>{why ? tame(cut(why, 80)) : "–"}</td>
      <td className="right">{row.totalTokens ? count(row.totalTokens) : "–"}</td>
      <td className="right">{money(row.costUSD, row.estimated)}</td>
      <td><Time at={row.createdAt} /></td>
      <td className="right">{duration(between(row.startedAt, row.finishedAt))}</td>
      <td className="wide">{tame(row.requestedBy ?? "–")}</td>
    </tr>
  );
}
