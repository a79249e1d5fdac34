// Suspend, resume, cancel or rerun several runs: a confirmation that names them, and the result of each.
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api } from "../api";
import type { RunRow } from "../documents";
import { count, tame } from "../format";
import { label, TEXTS } from "./Actions";
import { Text } from "./Json";
import { Phase, quoted } from "./small";

const WHATS = ["suspend", "resume", "cancel", "rerun"] as const;
const AT_ONCE = 4;

/** A run of a list, also if another one gets its name. */
export function keyOf(row: RunRow): string {
  return `${row.namespace}/${row.name}/${row.uid}`;
}

function ended(row: RunRow): boolean {
  return !!row.finishedAt || row.phase === "Rejected";
}

/** Why nothing is sent for a run, or "". */
function unsuitable(what: string, row: RunRow): string {
  if (what !== "rerun") return ended(row) ? "has ended; nothing is sent" : "";
  if (!ended(row)) return "has not ended; nothing is sent";
  return row.phase === "Succeeded" ? "has succeeded; nothing is sent" : "";
}

function send(what: string, row: RunRow): Promise<{ message: string }> {
  if (what !== "rerun") return api.change(row.namespace, row.name, what, row.uid);
  const wanted = { from: [], skip: [], latest: false, refreshMemory: false };
  return api.rerun(row.namespace, row.name, row.round + 1, wanted);
}

type Result = { ok: boolean; text: string };

export function Bulk({ chosen, clear }: { chosen: RunRow[]; clear: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const client = useQueryClient();
  const [what, setWhat] = useState<string>("suspend");
  // What the dialog names does not change while it is open.
  const [rows, setRows] = useState<RunRow[]>([]);
  const [results, setResults] = useState<Record<string, Result>>({});
  const [state, setState] = useState<"asking" | "sending" | "done">("asking");
  const stop = useRef(false);
  const wanted = rows.filter((row) => !unsuitable(what, row));
  const spaces = new Set(rows.map((row) => row.namespace));

  const ask = (next: string) => {
    setWhat(next);
    setRows(chosen);
    setResults({});
    setState("asking");
    dialog.current?.showModal();
  };
  const start = async () => {
    setState("sending");
    stop.current = false;
    const left = [...wanted];
    const work = async () => {
      for (let row = left.shift(); row; row = left.shift()) {
        const key = keyOf(row);
        const result = stop.current
          ? { ok: false, text: "not sent" }
          : await send(what, row).then(
              (answer) => ({ ok: true, text: answer.message }),
              (error: Error) => ({ ok: false, text: error.message }),
            );
        setResults((known) => ({ ...known, [key]: result }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    setState("done");
    client.invalidateQueries({ queryKey: ["runs"] });
  };
  const close = () => {
    dialog.current?.close();
    if (state === "done") clear();
  };
  const good = Object.values(results).filter((one) => one.ok).length;
  const bad = Object.values(results).length - good;
  return (
    <div className="bulk" role="group" aria-label="Selected runs">
      {chosen.length > 0 && (
        <>
          <strong>{count(chosen.length)} selected</strong>
          {WHATS.map((one) => (
            <button key={one} type="button" disabled={chosen.every((row) => !!unsuitable(one, row))} title={TEXTS[one]} onClick={() => ask(one)}>
              {title(one)}…
            </button>
          ))}
          <button type="button" className="quiet" onClick={clear}>Clear the selection</button>
        </>
      )}
      <dialog ref={dialog} aria-labelledby="bulk-title" onCancel={(event) => { event.preventDefault(); if (state !== "sending") close(); }}>
        <h2 id="bulk-title">{title(what)} {count(wanted.length)} {wanted.length === 1 ? "run" : "runs"}?</h2>
        <p>{TEXTS[what]}</p>
        <ul className="named" tabIndex={0} aria-label="Runs">
          {rows.map((row) => {
            const result = results[keyOf(row)];
            return (
              <li key={keyOf(row)}>
                <span>
                  {spaces.size > 1 && <span className="dim">{tame(row.namespace)}/</span>}
                  <strong>{tame(row.name)}</strong> <Phase phase={row.phase} />
                </span>
                {unsuitable(what, row) && <span className="dim">{unsuitable(what, row)}</span>}
                {result && <span className={result.ok ? "ok" : "not-ok"}>{result.ok ? "✓" : "✕"} {tame(result.text)}</span>}
                {!result && !unsuitable(what, row) && state === "sending" && <span className="dim">sending…</span>}
              </li>
            );
          })}
        </ul>
        <details>
          <summary>As commands</summary>
          <Text
            text={wanted.map((row) => `waypost ${what} ${quoted(row.name)} -n ${quoted(row.namespace)}`).join("\n")}
            label="Commands"
          />
        </details>
        <p role="status">{state === "done" && `${count(good)} requested, ${count(bad)} not`}</p>
        <div className="buttons">
          {state === "asking" && (
            <button type="button" className={what === "cancel" ? "danger" : "primary"} disabled={wanted.length === 0} onClick={start}>
              {title(what)} {count(wanted.length)} {wanted.length === 1 ? "run" : "runs"}
            </button>
          )}
          {state === "sending" ? (
            <button type="button" onClick={() => { stop.current = true; }}>Stop</button>
          ) : (
            <button type="button" onClick={close}>{state === "done" ? "Close" : "Back"}</button>
          )}
        </div>
      </dialog>
    </div>
  );
}

const title = (what: string) => label(what).replace(" run", "");
