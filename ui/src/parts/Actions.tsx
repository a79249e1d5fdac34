// Suspend, resume and cancel a run. Each shows the command that does the same.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api, type RunPage } from "../api";
import { tame } from "../format";
import { useMe } from "./me";
import { Command, quoted } from "./small";

export const TEXTS: Record<string, string> = {
  suspend: "Running nodes finish, no new node starts. It can be resumed.",
  rerun: "A new round runs what has failed or was skipped, and keeps the rest. The page Rerun of a run shows what that is.",
  resume: "Nodes that are ready start.",
  cancel: "Running nodes are stopped. Recorded results are kept; compensations and finally still run. A cancelled run cannot be resumed.",
};

export function Actions({ page }: { page: RunPage }) {
  const me = useMe(page.run.namespace);
  const dialog = useRef<HTMLDialogElement>(null);
  const [what, setWhat] = useState("suspend");
  const client = useQueryClient();
  const { run } = page;
  const sent = useMutation({
    mutationFn: () => api.change(run.namespace, run.name, what, run.uid),
    onSuccess: () => {
      dialog.current?.close();
      client.invalidateQueries({ queryKey: ["run", run.namespace, run.name] });
    },
  });
  if (run.finishedAt || page.cancelled || run.phase === "Rejected") return null;
  const why = me.data?.readOnly ? "this server is read-only" : me.data?.may.change === false ? "you have no right to patch runs (role waypost-edit)" : "";
  const offered = [page.suspended ? "resume" : "suspend", "cancel"];
  return (
    <span className="actions">
      {offered.map((one) => (
        <button
          key={one}
          type="button"
          disabled={!!why}
          title={why || TEXTS[one]}
          onClick={() => {
            sent.reset();
            setWhat(one);
            dialog.current?.showModal();
          }}
        >
          {label(one)}
        </button>
      ))}
      <dialog ref={dialog} aria-labelledby="action-title">
        <h2 id="action-title">{label(what)} {tame(run.name)}?</h2>
        <p>{TEXTS[what]}</p>
        <p className="dim">The same as:</p>
        <Command text={`waypost ${what} ${quoted(run.name)} -n ${quoted(run.namespace)}`} />
        {sent.error && <p className="verdict bad" role="alert">{tame(sent.error.message)}</p>}
        <div className="buttons">
          <button type="button" className={what === "cancel" ? "danger" : "primary"} disabled={sent.isPending} onClick={() => sent.mutate()}>
            {label(what)}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>Back</button>
        </div>
      </dialog>
    </span>
  );
}

export const label = (what: string) => (what === "cancel" ? "Cancel run" : what[0]?.toUpperCase() + what.slice(1));
