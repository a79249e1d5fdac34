// Requests to the server. Addresses are relative to the page, so any path prefix works.
import type {
  AttemptsDifference,
  ApprovalRow,
  JsonValue,
  NodeIo,
  NodeLog,
  Question,
  RerunPreview,
  RunDifference,
  RunGraph,
  RunManifest,
  RunRow,
  RunView,
} from "./documents";

// Servers below other paths of the same host have sessions and namespaces too.
const KEY = `waypost-key:${location.pathname}`;
const NAMESPACE = `waypost-namespace:${location.pathname}`;

export interface Me {
  user: string;
  namespace: string;
  everywhere: boolean;
  readOnly: boolean;
  version: string;
  may: { change: boolean; answer: boolean; list: boolean };
  /** How people log in to a server that many use. */
  login?: "token" | "proxy";
  /** Namespaces that such a server offers. */
  namespaces?: string[];
}
export interface Checks {
  version: string;
  checks: { check: string; result: "ok" | "warning" | "failed"; text: string }[];
}
export interface RunList {
  items: RunRow[];
  total: number;
  counts: Record<string, number>;
}
export interface ApprovalList {
  items: ApprovalRow[];
  total: number;
  open: number;
}
export interface RunPage {
  run: RunView;
  graph: RunGraph;
  suspended: boolean;
  cancelled: boolean;
}
export interface Asked extends Question {
  user: string;
}

/** A request that the server refused, in its words. */
export class Refused extends Error {
  readonly status: number;
  /** For 401: how to log in; undefined where a link opens the session. */
  readonly login: string | undefined;
  constructor(status: number, message: string, login?: string) {
    super(message);
    this.status = status;
    this.login = login;
  }
}

/** The namespace whose runs a server that many use shows; "" for all. */
export function chosenNamespace(): string {
  return localStorage.getItem(NAMESPACE) ?? "";
}

export function keepNamespace(name: string): void {
  localStorage.setItem(NAMESPACE, name);
}

export function headers(): Record<string, string> {
  const namespace = chosenNamespace();
  return {
    "x-waypost-key": localStorage.getItem(KEY) ?? "",
    ...(namespace && { "x-waypost-namespace": namespace }),
  };
}

/** Exchanges the secret of the link, if the address has one. Resolves to why it failed, or "". */
export async function openSession(): Promise<string> {
  const secret = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!secret) return "";
  history.replaceState(null, "", `${location.pathname}#/`);
  return logIn(secret);
}

/** Opens a session with a secret or a token. Resolves to why it failed, or "". */
export async function logIn(secret: string): Promise<string> {
  try {
    const { key } = await read<{ key: string }>("session", { method: "POST", body: secret });
    localStorage.setItem(KEY, String(key));
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

export async function logOut(): Promise<void> {
  await read("session/end", { method: "POST" }).catch(() => undefined);
  localStorage.removeItem(KEY);
}

async function read<T>(path: string, init: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`api/${path}`, { ...init, headers: { ...headers(), ...init.headers } });
  } catch {
    throw new Refused(0, "the server does not answer: is `waypost ui` still running?");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, String(body?.message ?? answer.statusText), body?.login);
  return body as T;
}

function post<T>(path: string, body: unknown): Promise<T> {
  const init = { "content-type": "application/json" };
  return read(path, { method: "POST", headers: init, body: JSON.stringify(body) });
}

const at = (namespace: string, name: string) =>
  `${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

export interface Answer {
  decision: "Approved" | "Denied";
  digest: string;
  reason?: string;
  answer?: JsonValue;
}

/** What a new round runs again beside what failed, and what it leaves out. */
export interface Wanted {
  from: string[];
  skip: string[];
  latest: boolean;
  refreshMemory: boolean;
}

function wantedQuery(wanted: Wanted): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of wanted.from) query.append("from", name);
  for (const name of wanted.skip) query.append("skip", name);
  if (wanted.latest) query.set("latest", "1");
  if (wanted.refreshMemory) query.set("refreshMemory", "1");
  return query;
}

const live = {
  me: (namespace: string) => read<Me>(`me?${new URLSearchParams(namespace ? { namespace } : {})}`),
  checks: () => read<Checks>("checks"),
  runs: (query: URLSearchParams) => read<RunList>(`runs?${query}`),
  run: (namespace: string, name: string) => read<RunPage>(`runs/${at(namespace, name)}`),
  trace: (namespace: string, name: string) => read<RunView>(`runs/${at(namespace, name)}/trace`),
  manifest: (namespace: string, name: string) => read<RunManifest>(`runs/${at(namespace, name)}/manifest`),
  io: (namespace: string, name: string, node: string) =>
    read<NodeIo>(`runs/${at(namespace, name)}/io?node=${encodeURIComponent(node)}`),
  log: (namespace: string, name: string, node: string, attempt: string) =>
    read<NodeLog>(`runs/${at(namespace, name)}/logs?${new URLSearchParams({ node, ...(attempt && { attempt }) })}`),
  attempts: (namespace: string, name: string, node: string, pair: number[]) =>
    read<AttemptsDifference>(
      `runs/${at(namespace, name)}/attempts?${new URLSearchParams([["node", node], ...pair.map((one) => ["attempt", String(one)])])}`,
    ),
  difference: (namespace: string, name: string, other: string) =>
    read<RunDifference>(`runs/${at(namespace, name)}/diff?${new URLSearchParams({ other })}`),
  preview: (namespace: string, name: string, wanted: Wanted) =>
    read<RerunPreview>(`runs/${at(namespace, name)}/rerun?${wantedQuery(wanted)}`),
  rerun: (namespace: string, name: string, round: number, wanted: Wanted) =>
    post<{ message: string }>(`runs/${at(namespace, name)}/rerun`, { round, ...wanted }),
  /** `uid`: the run that was shown; another one of the same name is left alone. */
  change: (namespace: string, name: string, what: string, uid: string) =>
    post<{ message: string }>(`runs/${at(namespace, name)}/${what}`, { uid }),
  approvals: (all: boolean) => read<ApprovalList>(`approvals?all=${all ? 1 : 0}&limit=500`),
  /** Only how many are open. Approvals are not read while no run waits for an answer. */
  openQuestions: () => read<ApprovalList>("approvals?asked=1&limit=0"),
  question: (namespace: string, name: string) => read<Asked>(`approvals/${at(namespace, name)}`),
  answer: (namespace: string, name: string, body: Answer) =>
    post<{ message: string }>(`approvals/${at(namespace, name)}/answer`, body),
};

export type Api = typeof live;
/** Where pages read: the server, unless a report answers. */
export let api: Api = live;

/** From now on, these answers stand in for those of the server; all other requests fail. */
export function answerWith(answers: Partial<Api>): void {
  const none = () => Promise.reject(new Refused(404, "a report has no server"));
  const refusing = Object.fromEntries(Object.keys(live).map((name) => [name, none]));
  api = { ...(refusing as unknown as Api), ...answers };
}
