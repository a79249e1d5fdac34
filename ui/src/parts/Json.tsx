// A JSON value as text. Long parts are folded; nothing in it is ever markup.
import { useState } from "react";
import type { JsonValue } from "../documents";
import { cut, tame } from "../format";

const MOST = 20_000;

export function Json({ value, label }: { value: JsonValue; label: string }) {
  const text = JSON.stringify(value, null, 2) ?? "null";
  return <Text text={text} label={label} />;
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
