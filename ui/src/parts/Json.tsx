// A JSON value as text. Long parts are folded; nothing in it is ever markup.
import { useState } from "react";
import type { JsonValue } from "../documents";
import { cut, tame } from "../format";

const MOST = 20_000;

export function Json({ value, label, wrong = [] }: { value: JsonValue; label: string; wrong?: string[] }) {
  const text = JSON.stringify(value, null, 2) ?? "null";
  const marked = wrong.length > 0 && text.length <= MOST ? lines(value, new Set(wrong)) : [];
  if (!marked.some((line) => line.wrong)) return <Text text={text} label={label} />;
  return (
    <div className="value">
      {/* biome-ignore lint: a region that scrolls must be reachable by keyboard */}
      <pre tabIndex={0} aria-label={label}>
        {marked.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other identity
          <span key={index}>{line.wrong ? <mark>{tame(line.text)}</mark> : tame(line.text)}{"\n"}</span>
        ))}
      </pre>
    </div>
  );
}

interface Line {
  text: string;
  wrong: boolean;
}

/** The lines of JSON.stringify(value, null, 2); those that begin a value at one of these paths, as violations name them, are wrong. */
function lines(value: JsonValue, wrong: Set<string>, at = "$", indent = "", before = "", after = ""): Line[] {
  const own = wrong.has(at);
  const known: [string, string, JsonValue][] = Array.isArray(value)
    ? value.map((one, index) => [`[${index}]`, "", one])
    : value !== null && typeof value === "object"
      ? Object.entries(value).filter(([, one]) => one !== undefined).map(([key, one]) => [`.${key}`, `${JSON.stringify(key)}: `, one as JsonValue])
      : [];
  if (known.length === 0) return [{ text: indent + before + JSON.stringify(value) + after, wrong: own }];
  const [opens, closes] = Array.isArray(value) ? "[]" : "{}";
  const inner = known.flatMap(([key, name, one], index) =>
    lines(one, wrong, at + key, `${indent}  `, name, index < known.length - 1 ? "," : ""),
  );
  return [{ text: indent + before + opens, wrong: own }, ...inner, { text: indent + closes + after, wrong: false }];
}

export function Text({ text, label, end = false }: { text: string; label: string; end?: boolean }) {
  const [all, setAll] = useState(false);
  const long = text.length > MOST;
  const shown = all || !long ? text : end ? `…${text.slice(-MOST)}` : cut(text, MOST);
  return (
    <div className="value">
      {/* biome-ignore lint: a region that scrolls must be reachable by keyboard */}
      <pre tabIndex={0} aria-label={label}>{tame(shown)}</pre>
      {long && !all && (
        <button type="button" className="quiet" onClick={() => setAll(true)}>
          Show all {text.length.toLocaleString("en-US")} characters
        </button>
      )}
    </div>
  );
}
