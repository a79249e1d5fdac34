// Who the user is, what this user may do, and whether the installation works: what `waypost doctor` finds.
import { useQuery } from "@tanstack/react-query";
import { api, type Checks } from "../api";
import { tame } from "../format";
import { useMe } from "../parts/me";
import { Command } from "../parts/small";
import { Loading, Problem } from "../parts/states";

const RIGHT = "you may ";
const SIGNS = { ok: "\u2713", warning: "!", failed: "\u2715" };

export function YouPage() {
  const me = useMe();
  const found = useQuery({ queryKey: ["checks"], queryFn: api.checks });
  const checks = found.data?.checks ?? [];
  const where = me.data?.everywhere ? "all namespaces" : `namespace ${me.data?.namespace ?? ""}`;
  return (
    <>
      <div className="head"><h1>You</h1></div>
      {me.data && (
        <dl className="facts">
          <div><dt>User</dt><dd>{tame(me.data.user || "the API server does not say")}</dd></div>
          <div><dt>Shown</dt><dd>{tame(where)}</dd></div>
          <div><dt>This server</dt><dd>Waypost {tame(me.data.version)}{me.data.readOnly && ", read-only: it refuses every write"}</dd></div>
        </dl>
      )}
      {found.error && <Problem error={found.error} retry={() => found.refetch()} />}
      {found.isPending && <Loading what="checks" />}
      {found.data && (
        <>
          <h2>What you may do in {tame(where)}</h2>
          <Rights checks={checks.filter((one) => one.check.startsWith(RIGHT))} />
          <p className="dim">The API server decides. It knows you by the credentials of your kubeconfig or token, and so does its audit log.</p>
          <h2 className="apart">The installation</h2>
          <Results checks={checks.filter((one) => !one.check.startsWith(RIGHT) && one.check !== "user")} />
          <Command text="waypost doctor" />
        </>
      )}
    </>
  );
}

function Rights({ checks }: { checks: Checks["checks"] }) {
  return (
    <table className="results">
      <thead><tr><th scope="col">Right</th><th scope="col">Allowed</th></tr></thead>
      <tbody>
        {checks.map((one) => (
          <tr key={one.check}>
            <td>{tame(one.check.slice(RIGHT.length))}</td>
            <td className={one.result === "ok" ? "r-ok" : "dim"}>
              <span aria-hidden="true">{one.result === "ok" ? SIGNS.ok : "–"}</span> {tame(one.text)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Results({ checks }: { checks: Checks["checks"] }) {
  return (
    <table className="results">
      <thead><tr><th scope="col">Result</th><th scope="col">Check</th><th scope="col">Found</th></tr></thead>
      <tbody>
        {checks.map((one) => (
          <tr key={one.check}>
            <td className={`result r-${one.result}`}><span aria-hidden="true">{SIGNS[one.result]}</span> {one.result}</td>
            <td>{tame(one.check)}</td>
            <td>{tame(one.text)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
