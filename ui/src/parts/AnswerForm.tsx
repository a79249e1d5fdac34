// A form for an answerSchema: flat objects of simple values. Everything else is typed as JSON.
// The server checks the answer with the operator's own validator.
import { useEffect, useState } from "react";
import type { JsonObject, JsonValue } from "../documents";
import { tame } from "../format";

type Change = (value: JsonValue | undefined, problem: string) => void;
type Texts = Record<string, string>;

interface Field {
  name: string;
  title: string;
  hint: string;
  required: boolean;
  type: string;
  choices: JsonValue[];
  initial: string;
}

const SIMPLE = ["string", "number", "integer", "boolean"];
const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

function field(name: string, schema: JsonValue, required: boolean): Field | null {
  if (!isObject(schema)) return null;
  const list = schema.type === "array" && isObject(schema.items) && schema.items.type === "string" && !schema.items.enum;
  const choices = Array.isArray(schema.enum) ? schema.enum : [];
  const type = list ? "list" : choices.length ? "choice" : String(schema.type);
  if (!list && !choices.length && !SIMPLE.includes(type)) return null;
  const value = schema.default;
  return {
    name,
    title: typeof schema.title === "string" ? schema.title : name,
    hint: typeof schema.description === "string" ? schema.description : "",
    required,
    type,
    choices,
    initial: value === undefined ? "" : typeof value === "string" && !choices.length ? value : JSON.stringify(value),
  };
}

/** The fields of a schema; null if it has others than simple ones. */
export function fields(schema: JsonObject): Field[] | null {
  if (schema.type !== "object" || !isObject(schema.properties)) {
    const one = field("", schema, true);
    return one ? [{ ...one, title: one.title || "Answer" }] : null;
  }
  const required = Array.isArray(schema.required) ? schema.required : [];
  const found = Object.entries(schema.properties).map(([name, inner]) => field(name, inner, required.includes(name)));
  return found.includes(null) ? null : (found as Field[]);
}

function parsed(one: Field, text: string): JsonValue | undefined {
  if (one.type === "boolean" || one.type === "choice") return text === "" ? undefined : JSON.parse(text);
  if (one.type === "list") return text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (text === "") return one.type === "string" && one.required ? undefined : undefined;
  if (one.type === "string") return text;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

export function AnswerForm({ schema, change, initial }: { schema: JsonObject; change: Change; initial?: JsonValue }) {
  const known = fields(schema);
  if (initial !== undefined) return <Raw change={change} schema={schema} initial={JSON.stringify(initial, null, 2)} />;
  return known ? <Fields known={known} flat={known[0]?.name === ""} change={change} /> : <Raw change={change} schema={schema} />;
}

function Fields({ known, flat, change }: { known: Field[]; flat: boolean; change: Change }) {
  const [texts, setTexts] = useState<Texts>(() => Object.fromEntries(known.map((one) => [one.name, one.initial])));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the callback is new at every render
  useEffect(() => {
    const values = known.map((one) => [one.name, parsed(one, texts[one.name] ?? "")] as const);
    const missing = known.find((one, index) => one.required && values[index]?.[1] === undefined);
    const given = values.filter((pair): pair is readonly [string, JsonValue] => pair[1] !== undefined);
    change(flat ? given[0]?.[1] : Object.fromEntries(given), missing ? `“${tame(missing.title)}” is needed to approve` : "");
  }, [texts]);
  return (
    <>
      {known.map((one) => (
        <label className="field" key={one.name}>
          <span>{tame(one.title)}{!one.required && <span className="dim"> (optional)</span>}</span>
          <Input one={one} text={texts[one.name] ?? ""} set={(text) => setTexts((old) => ({ ...old, [one.name]: text }))} />
          {one.hint && <span className="dim small">{tame(one.hint)}</span>}
        </label>
      ))}
    </>
  );
}

function Input({ one, text, set }: { one: Field; text: string; set: (text: string) => void }) {
  const choices: JsonValue[] = one.type === "boolean" ? [true, false] : one.choices;
  if (choices.length)
    return (
      <select value={text} onChange={(event) => set(event.target.value)}>
        <option value="">–</option>
        {choices.map((choice) => (
          <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
            {one.type === "boolean" ? (choice ? "yes" : "no") : tame(typeof choice === "string" ? choice : JSON.stringify(choice))}
          </option>
        ))}
      </select>
    );
  if (one.type === "list") return <textarea rows={3} value={text} placeholder="one a line" onChange={(event) => set(event.target.value)} />;
  const number = one.type === "number" || one.type === "integer";
  return <input type={number ? "number" : "text"} step={one.type === "integer" ? 1 : "any"} value={text} onChange={(event) => set(event.target.value)} />;
}

function Raw({ schema, change, initial = "" }: { schema: JsonObject; change: Change; initial?: string }) {
  const [text, setText] = useState(initial);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the callback is new at every render
  useEffect(() => {
    try {
      change(text.trim() ? JSON.parse(text) : undefined, text.trim() ? "" : "an answer is needed to approve");
    } catch (error) {
      change(undefined, `not JSON: ${(error as Error).message}`);
    }
  }, [text]);
  return (
    <>
      <label className="field">
        <span>Answer as JSON</span>
        <textarea rows={6} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <details><summary>Schema</summary><pre tabIndex={0}>{tame(JSON.stringify(schema, null, 2))}</pre></details>
    </>
  );
}
