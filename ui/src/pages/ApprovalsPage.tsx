// The inbox: questions that wait for an answer, oldest first.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api } from "../api";
import type { ApprovalRow } from "../documents";
import { tame, until } from "../format";
import { Phase, Time } from "../parts/small";
import { Empty, Loading, Problem } from "../parts/states";
import { answeredBy } from "../parts/who";
import { Link, setQuery, usePlace } from "../router";

export function ApprovalsPage() {
  const all = usePlace().query.get("all") === "1";
  const found = useQuery({
    queryKey: ["approvals", all],
    queryFn: () => api.approvals(all),
    placeholderData: keepPreviousData,
  });
  const rows = found.data?.items ?? [];
  return (
    <>
      <div className="head"><h1>Approvals</h1></div>
      <div className="chips" role="group" aria-label="Which questions">
        <button type="button" className="chip" aria-pressed={!all} onClick={() => setQuery({ all: "" })}>
          Open {found.data && <span className="number">{found.data.open}</span>}
        </button>
        <button type="button" className="chip" aria-pressed={all} onClick={() => setQuery({ all: "1" })}>
          With answered ones
        </button>
      </div>
      {found.error && <Problem error={found.error} retry={() => found.refetch()} />}
      {found.isPending && <Loading what="approvals" />}
      {found.data && rows.length === 0 && (
        <Empty title={all ? "No approvals" : "No question waits for an answer"}>
          <p>A node of kind <code>approval</code> asks one here.</p>
        </Empty>
      )}
      {rows.length > 0 && (
        <ul className="cards">
          {rows.map((row) => <Card key={`${row.namespace}/${row.name}`} row={row} />)}
        </ul>
      )}
    </>
  );
}

/** A row of an Approval that does not have the known form. */
interface Broken {
  problem?: string;
}

function Card({ row }: { row: ApprovalRow & Broken }) {
  if (row.problem !== undefined)
    return (
      <li className="card">
        <h2>{tame(row.name)}</h2>
        <p className="verdict bad">{tame(row.problem)}</p>
      </li>
    );
  return (
    <li className="card">
      <div className="head">
        <Phase phase={row.state ?? "Open"} />
        <h2><Link to={["approvals", row.namespace, row.name]}>{tame(row.message || row.name)}</Link></h2>
      </div>
      <p className="dim">
        <Link to={["runs", row.namespace, row.run]} query={{ node: row.path }}>{tame(row.run)}</Link> · {tame(row.path)} · asked{" "}
        <Time at={row.createdAt} /> · {row.approvers?.length ? `can be answered by ${tame(row.approvers.join(", "))}` : "can be answered by anyone with the right"}
        {!!row.level && ` · escalation level ${row.level}`}
        {row.votes && ` · votes ${tame(row.votes)}`}
        {row.state === "Open" && row.expiresAt && ` · expires ${until(row.expiresAt)}`}
        {row.decidedBy && ` · by ${answeredBy(row.decidedBy, row.identityVerified)}`}
      </p>
    </li>
  );
}
