// The frame of every page, and which page an address shows.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, chosenNamespace, keepNamespace, Refused } from "./api";
import { Login, LogOut, NamespaceChoice } from "./parts/Entrance";
import { Mark, ThemeChoice, ZoneChoice } from "./parts/Frame";
import { useMe } from "./parts/me";
import { Boundary, Empty, Problem } from "./parts/states";
import { ago } from "./format";
import { reconnect, useLive } from "./live";
import { ApprovalPage } from "./pages/ApprovalPage";
import { ApprovalsPage } from "./pages/ApprovalsPage";
import { DiffPage } from "./pages/DiffPage";
import { LogPage } from "./pages/LogPage";
import { RerunPage } from "./pages/RerunPage";
import { RunPage } from "./pages/RunPage";
import { RunsPage } from "./pages/RunsPage";
import { YouPage } from "./pages/YouPage";
import { Link, usePlace } from "./router";
import { useZone } from "./zone";

export function App({ linkProblem }: { linkProblem: string }) {
  const { path } = usePlace();
  const me = useMe();
  const zone = useZone();
  const open = useQuery({
    queryKey: ["approvals", "open"],
    queryFn: () => api.openQuestions(),
    enabled: me.isSuccess,
  });
  const [area = "runs", namespace, name, part] = path;
  const client = useQueryClient();
  useEffect(() => {
    // Who opens a link to another namespace looks at that one from now on.
    if (!namespace || !chosenNamespace() || chosenNamespace() === namespace) return;
    keepNamespace(namespace);
    reconnect();
    client.invalidateQueries();
  }, [namespace, client]);
  useEffect(() => {
    document.title = [part, name, (Object.hasOwn(TITLES, area) && TITLES[area]) || "Runs", "Waypost"].filter(Boolean).join(" · ");
  }, [area, name, part]);
  const locked = me.error instanceof Refused && me.error.status === 401 ? me.error : null;
  const unlisted = me.data?.login && !me.data.may.list && path.length <= 1 ? me.data : null;
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        Skip to content
      </a>
      <header className="bar">
        <Link to={["runs"]} className="brand">
          <Mark /> Waypost
        </Link>
        <nav aria-label="Pages">
          <Link to={["runs"]} aria-current={area === "runs" ? "page" : undefined}>Runs</Link>
          <Link to={["approvals"]} aria-current={area === "approvals" ? "page" : undefined}>
            Approvals
            {open.data && open.data.open > 0 && (
              <span className="count" title="open questions">{open.data.open}</span>
            )}
          </Link>
        </nav>
        <div className="bar-end">
          {me.data?.readOnly && <span className="tag">read-only</span>}
          {me.isSuccess && <Freshness />}
          {!locked && !unlisted && me.data?.login && <NamespaceChoice key={me.data.namespace} me={me.data} />}
          {!locked && me.data && (
            <Link to={["you"]} className="who" aria-current={area === "you" ? "page" : undefined} title="what you may do, and the state of the installation">
              {me.data.user || "unknown user"}
              <span className="dim"> · {me.data.everywhere ? "all namespaces" : me.data.namespace}</span>
            </Link>
          )}
          {!locked && me.data?.login === "token" && <LogOut />}
          <ZoneChoice />
          <ThemeChoice />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {locked?.login ? (
          <Login problem={locked} />
        ) : linkProblem || locked ? (
          <Empty title="This browser has no session">
            {linkProblem && <p>{linkProblem}</p>}
            <p>Start <code>waypost ui</code> and open the link that it prints. It works once, for one browser.</p>
          </Empty>
        ) : me.error && !me.data ? (
          <Problem error={me.error} retry={() => me.refetch()} />
        ) : unlisted ? (
          <NamespaceChoice key={unlisted.namespace} me={unlisted} large />
        ) : (
          <Boundary key={`${path.join("/")} ${zone}`}>
            <Page area={area} namespace={namespace} name={name} part={part} rest={path.length} />
          </Boundary>
        )}
      </main>
    </>
  );
}

const TITLES: Record<string, string> = { approvals: "Approvals", you: "You" };

interface PageProps {
  area: string;
  namespace?: string;
  name?: string;
  part?: string;
  rest: number;
}

const PARTS: Record<string, typeof RerunPage> = { rerun: RerunPage, diff: DiffPage, logs: LogPage };

function Page({ area, namespace, name, part, rest }: PageProps) {
  if (area === "runs" && rest <= 1) return <RunsPage />;
  const Part = area === "runs" && part && rest === 4 && Object.hasOwn(PARTS, part) ? PARTS[part] : undefined;
  if (Part && namespace && name) return <Part namespace={namespace} name={name} />;
  if (area === "runs" && namespace && name && rest === 3)
    return <RunPage key={`${namespace}/${name}`} namespace={namespace} name={name} />;
  if (area === "you" && rest === 1) return <YouPage />;
  if (area === "approvals" && rest === 1) return <ApprovalsPage />;
  if (area === "approvals" && namespace && name && rest === 3)
    return <ApprovalPage key={`${namespace}/${name}`} namespace={namespace} name={name} />;
  return (
    <Empty title="There is no such page">
      <p><Link to={["runs"]}>All runs</Link></p>
    </Empty>
  );
}

/** Whether what is shown is live; says how old it is when it is not. */
function Freshness() {
  const live = useLive();
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 5000);
    return () => clearInterval(timer);
  }, []);
  const good = live.open && !live.problem;
  const text = good ? "live" : live.heard ? `last update ${ago(live.heard)}` : "connecting";
  return (
    <span className={`fresh ${good ? "is-live" : "is-stale"}`} role="status" title={live.problem ?? (good ? "changes are shown as they happen" : "trying to reconnect")}>
      {text}
    </span>
  );
}
