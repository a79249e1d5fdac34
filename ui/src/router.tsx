// The address after #: a path and a query, such as #/runs/demo/triage?node=draft.
import { type AnchorHTMLAttributes, useSyncExternalStore } from "react";
import { report } from "./shell";

export interface Place {
  path: string[];
  query: URLSearchParams;
}

function parse(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decode);
  return { path: parts, query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

let current = { hash: location.hash, place: parse(location.hash) };

function snapshot(): Place {
  if (current.hash !== location.hash) current = { hash: location.hash, place: parse(location.hash) };
  return current.place;
}

export function usePlace(): Place {
  return useSyncExternalStore((listener) => {
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, snapshot);
}

export function address(path: string[], query: Record<string, string | undefined> = {}): string {
  const known = Object.entries(query).filter((pair): pair is [string, string] => !!pair[1]);
  const text = new URLSearchParams(known).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

/** Changes the query of this address; "" removes a value. */
export function setQuery(change: Record<string, string>, how: "push" | "replace" = "push"): void {
  const { path, query } = snapshot();
  const next = address(path, { ...Object.fromEntries(query), ...change });
  if (how === "push") location.hash = next;
  else {
    history.replaceState(null, "", next);
    dispatchEvent(new HashChangeEvent("hashchange"));
  }
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { to: string[]; query?: Record<string, string> };

export function Link({ to, query, ...rest }: LinkProps) {
  // A report has no other pages.
  if (report()) return <span className={rest.className}>{rest.children}</span>;
  return <a {...rest} href={address(to, query)} />;
}
