// Small parts that many pages use.
import { useEffect, useState } from "react";
import { absolute, ago, tame } from "../format";

const SHAPES: Record<string, string> = {
  Succeeded: "✓",
  Failed: "✕",
  Rejected: "✕",
  Running: "▶",
  Waiting: "?",
  Open: "?",
  Approved: "✓",
  Denied: "✕",
  Backoff: "↻",
  Paused: "‖",
  Suspended: "‖",
  Cancelled: "⊘",
  Skipped: "↷",
  Expired: "⌛",
  Escalated: "⇧",
};

/** A phase: a colour, a sign and a word, so that no one of them is needed. */
export function Phase({ phase }: { phase: string }) {
  return (
    <span className={`phase p-${phase in SHAPES ? phase.toLowerCase() : "pending"}`}>
      <span aria-hidden="true" className="sign">{SHAPES[phase] ?? "·"}</span>
      {tame(phase)}
    </span>
  );
}

export function Time({ at }: { at?: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 10_000);
    return () => clearInterval(timer);
  }, []);
  return at ? <time dateTime={at} title={absolute(at)}>{ago(at)}</time> : <>–</>;
}

/** "3/8" as a bar and as text. */
export function Progress({ text }: { text: string }) {
  const [done, total] = text.split("/").map(Number);
  const known = Number.isFinite(done) && Number.isFinite(total) && (total ?? 0) > 0;
  return (
    <span className="progress">
      {known && (
        <span className="track" aria-hidden="true">
          <span className="fill" style={{ width: `${(100 * (done ?? 0)) / (total ?? 1)}%` }} />
        </span>
      )}
      {text || "–"}
    </span>
  );
}

/** A command that can be copied. */
export function Command({ text }: { text: string }) {
  return (
    <span className="command">
      <code>{tame(text)}</code>
      <CopyButton text={text} label={`Copy ${text}`} />
    </span>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      className="quiet"
      aria-label={label}
      onClick={() => {
        navigator.clipboard?.writeText(text).then(() => {
          setCopied(true);
          setTimeout(() => setCopied(false), 1500);
        });
      }}
    >
      {copied ? "copied" : "copy"}
    </button>
  );
}

/** A word for a command line: quoted where a shell would take it apart. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9._/@:=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
