// Follows the stream of changes. What has changed is read again; after an interruption, everything.
import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { headers } from "./api";

let current = new AbortController();
let skip: () => void = () => undefined;

/** Opens the stream again now: another person or another namespace. */
export function reconnect(): void {
  current.abort();
  skip();
}

export interface Live {
  /** Whether the stream is open. */
  open: boolean;
  /** When the server last heard of the API server. */
  heard: string | null;
  /** Why the server is not up to date. */
  problem: string | null;
}

let now: Live = { open: false, heard: null, problem: null };
const listeners = new Set<() => void>();

function tell(next: Partial<Live>): void {
  now = { ...now, ...next };
  for (const listener of listeners) listener();
}

export function useLive(): Live {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => now,
  );
}

type Names = string[] | null;
interface Changed {
  heard: string | null;
  problem: string | null;
  agentworkflows?: Names;
  approvals?: Names;
}

function apply(client: QueryClient, event: string, data: Changed): void {
  tell({ open: true, heard: data.heard, problem: data.problem });
  if (event === "ready") client.invalidateQueries();
  if (event !== "changed") return;
  const { agentworkflows: runs, approvals } = data;
  if (runs !== undefined) {
    client.invalidateQueries({ queryKey: ["runs"] });
    for (const key of runs ?? [""]) client.invalidateQueries({ queryKey: ["run", ...key.split("/").filter(Boolean)] });
  }
  if (approvals !== undefined) {
    client.invalidateQueries({ queryKey: ["approvals"] });
    for (const key of approvals ?? [""])
      client.invalidateQueries({ queryKey: ["question", ...key.split("/").filter(Boolean)] });
  }
}

async function follow(client: QueryClient): Promise<void> {
  current = new AbortController();
  const answer = await fetch("api/changes", { headers: headers(), signal: current.signal });
  if (!answer.ok || !answer.body) throw new Error(`${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (event && data) apply(client, event, JSON.parse(data));
    }
  }
}

/** Follows until the page goes; reconnects without a word, slower and slower. */
export async function keepFollowing(client: QueryClient): Promise<never> {
  for (let pause = 500; ; pause = Math.min(pause * 2, 15_000)) {
    const begun = Date.now();
    await follow(client).catch(() => undefined);
    tell({ open: false });
    if (Date.now() - begun > 5_000) pause = 500;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause);
      skip = () => {
        clearTimeout(timer);
        pause = 250;
        resolve();
      };
    });
  }
}
