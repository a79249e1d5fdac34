// Made by `make crds` from docs/views.schema.json. Do not edit.
// A field that is not required is left out when its value is not known.

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

export interface ApprovalRow {
  name: string;
  namespace: string;
  run: string;
  path: string;
  state: string;
  message: string;
  approvers: string[];
  votes?: string;
  level?: number;
  createdAt?: string;
  expiresAt?: string;
  decidedBy?: string;
  identityVerified?: boolean;
}

export interface ApprovalView {
  name: string;
  state: string;
  level?: number;
  escalatedTo?: string;
  message?: string;
  approvers?: Approvers;
  requesters?: string[];
  votes?: string;
  decidedBy?: string;
  decidedAt?: string;
  identityVerified?: boolean;
  expiresAt?: string;
  reason?: string;
}

export interface Approvers {
  users?: string[];
  groups?: string[];
  required?: number;
}

export interface Attached {
  name: string;
  digest: string;
  bytes: number;
  files: number;
  record: string;
}

export interface AttemptView {
  number: number;
  iteration?: number;
  round: number;
  job: string;
  reason?: string;
  message?: string;
  launchedAt: string;
  startedAt?: string;
  finishedAt?: string;
  queueSeconds?: number;
  seconds?: number;
  usage?: Usage;
  carried?: Usage;
  segments: Segment[];
  traceRecord?: string;
  trace?: TraceView;
}

export interface AttemptsDifference {
  v: number;
  name: string;
  namespace: string;
  path: string;
  attempts: AttemptView[];
  inputs: Change[];
  inputsNote?: string;
  output: Change[];
  outputNote?: string;
  more: number;
}

export interface Change {
  path: string;
  before?: string;
  after?: string;
}

export interface ControlStatus {
  control: "Egress" | "UserNamespace" | "RuntimeClass" | "Seccomp" | "Restricted";
  verified?: number;
  applied?: number;
  unavailable?: number;
  off?: number;
  message?: string;
}

export interface DeliveryRow {
  name: string;
  namespace: string;
  source: string;
  id: string;
  receivedAt: string;
  phase: string;
  event?: string;
  key?: string;
  template?: string;
  run?: string;
  node?: string;
  message?: string;
}

export interface ForkPreview {
  v: number;
  name: string;
  namespace: string;
  problems: string[];
  nodes: RoundNode[];
  cost: RoundCost;
}

export interface GraphEdge {
  from: string;
  to: string;
  kind: string;
}

export interface GraphNode {
  path: string;
  kind: string;
  phase: string;
  stage?: string;
  reason?: string;
  total?: number;
  attempts: number;
}

export interface ItemView {
  path: string;
  state: string;
  attempts: number;
  reason?: string;
  message?: string;
  child?: string;
  undoes?: string;
}

export interface ItemsView {
  total: number;
  succeeded: number;
  failed: number;
  running: number;
  listed: ItemView[];
  more: number;
}

export interface MemoryRow {
  name: string;
  namespace: string;
  scope: string;
  key: string;
  type: string;
  subject?: string;
  text?: string;
  phase: string;
  reason: string;
  run?: string;
  node?: string;
  at: string;
  expiresAt: string;
  decidedBy?: string;
}

export interface MemoryView {
  name: string;
  namespace: string;
  scope: string;
  key: string;
  type: string;
  subject?: string;
  text?: string;
  phase: string;
  reason: string;
  run?: string;
  node?: string;
  at: string;
  expiresAt: string;
  decidedBy?: string;
  value?: JsonObject;
  succeeded?: boolean;
  scheduledAt?: string;
  workflow?: string;
  runUid?: string;
  round?: number;
  attempt?: number;
  outputDigest?: string;
  schemaDigest?: string;
  review?: string;
  decision?: string;
  note?: string;
}

export interface ModelView {
  provider?: string;
  model: string;
  calls: number;
  errors: number;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  estimatedCalls: number;
  costUSD?: string;
}

export interface NextNode {
  path: string;
  kind: string;
  effect: string;
  destination?: string;
}

export interface NodeCost {
  path: string;
  kind: string;
  usage: Usage;
  attempts: number;
  retried?: Usage;
}

export interface NodeIo {
  v: number;
  name: string;
  namespace: string;
  path: string;
  kind: string;
  phase: string;
  reason?: string;
  message?: string;
  inputs?: JsonObject;
  same?: boolean;
  inputSchema?: JsonValue;
  inputsNote?: string;
  output?: JsonValue;
  hasOutput: boolean;
  outputSchema?: JsonValue;
  outputNote?: string;
  violations: string[];
  tail?: string;
}

export interface NodeLog {
  v: number;
  name: string;
  namespace: string;
  path: string;
  attempt: number;
  pod: string;
  source: string;
  notes: string[];
  text: string;
}

export interface NodePair {
  path: string;
  phases: (string | null)[];
  reasons: (string | null)[];
  attempts: (number | null)[];
  seconds: (number | null)[];
  costs: (string | null)[];
  output: string;
  differs: boolean;
}

export interface NodeView {
  path: string;
  kind: string;
  stage?: string;
  phase: string;
  reason?: string;
  message?: string;
  startedAt?: string;
  finishedAt?: string;
  seconds?: number;
  wakeAt?: string;
  usage?: Usage;
  approval?: ApprovalView;
  disposition?: string;
  dispositionMessage?: string;
  inputDigest?: string;
  outputDigest?: string;
  child?: string;
  iteration?: string;
  chosen?: string;
  rejected?: string[];
  attempt: number;
  attempts: AttemptView[];
  items?: ItemsView;
}

export interface Obstacle {
  node?: string;
  what: string;
  text: string;
  since?: string;
  command?: string;
}

export interface PinnedTemplate {
  name: string;
  uid: string;
  generation: number;
  digest: string;
  record: string;
}

export interface Question {
  v: number;
  name: string;
  namespace: string;
  run: string;
  path: string;
  subject: string;
  state: string;
  message: string;
  context?: JsonObject;
  attachments: Attached[];
  answerSchema?: JsonObject;
  approvers: string[];
  requesters: string[];
  required: number;
  votes?: string;
  level?: number;
  escalatedTo?: string;
  expiresAt?: string;
  decidedBy?: string;
  decidedAt?: string;
  identityVerified?: boolean;
  identityNote?: string;
  reason?: string;
  digest: string;
  then: NextNode[];
  note?: string;
}

export interface RerunPreview {
  v: number;
  name: string;
  namespace: string;
  round: number;
  afterCleanup?: boolean;
  memory?: RoundMemory;
  problems: string[];
  nodes: RoundNode[];
  cost: RoundCost;
}

export interface RoundCost {
  modelCalls: number;
  totalTokens: number;
  costUSD?: string;
  estimated?: boolean;
  unknown: string[];
}

export interface RoundMemory {
  scope: string;
  key: string;
  episodes: number;
  facts: number;
  refresh: boolean;
}

export interface RoundNode {
  path: string;
  kind: string;
  action: string;
  phase: string;
  disposition?: string;
  message?: string;
  effect: string;
  stops?: string;
}

export interface RunCost {
  v: number;
  name: string;
  namespace: string;
  phase: string;
  usage?: Usage;
  budget?: JsonObject;
  left?: JsonObject;
  nodes: NodeCost[];
  models: ModelView[];
  unread: number;
}

export interface RunDifference {
  v: number;
  runs: RunRow[];
  spec: Change[];
  inputs: Change[];
  outputs: Change[];
  more: number;
  nodes: NodePair[];
}

export interface RunGraph {
  v: number;
  name: string;
  namespace: string;
  phase: string;
  nodes: GraphNode[];
  edges: GraphEdge[];
  note?: string;
}

export interface RunManifest {
  v: number;
  name: string;
  namespace: string;
  manifest: string;
  status: string;
}

export interface RunMemory {
  scope: string;
  key: string;
  at?: string;
  episodes: number;
  facts: number;
  entries: string[];
  unwritten: number;
}

export interface RunReport {
  v: number;
  run: RunView;
  graph: RunGraph;
  suspended: boolean;
  cancelled: boolean;
  withValues: boolean;
  values: Record<string, NodeIo>;
  manifest?: RunManifest;
  leftOut: string[];
  readAt: string;
  version: string;
}

export interface RunRow {
  name: string;
  namespace: string;
  uid: string;
  phase: string;
  progress: string;
  round: number;
  waiting?: string;
  reason?: string;
  template?: string;
  parent?: string;
  schedule?: string;
  scheduledAt?: string;
  requestedBy?: string;
  createdAt?: string;
  startedAt?: string;
  finishedAt?: string;
  totalTokens?: number;
  costUSD?: string;
  estimated?: boolean;
}

export interface RunView {
  v: number;
  name: string;
  namespace: string;
  uid: string;
  round: number;
  phase: string;
  progress: string;
  stage?: string;
  verdict?: Verdict;
  waiting?: string;
  reason?: string;
  message?: string;
  compensation?: string;
  createdAt?: string;
  startedAt?: string;
  finishedAt?: string;
  seconds?: number;
  usage?: Usage;
  isolation?: ControlStatus[];
  budget?: JsonObject;
  template?: PinnedTemplate;
  memory?: RunMemory;
  parent?: string;
  requestedBy?: string;
  roundRequestedBy?: string;
  origin?: string;
  obstacles: Obstacle[];
  nodes: NodeView[];
}

export interface ScheduleRow {
  name: string;
  namespace: string;
  schedules: string[];
  timeZone: string;
  policy: string;
  template: string;
  suspended: boolean;
  next: string[];
  lastScheduledAt?: string;
  missed: number;
  waiting?: string;
  problem?: string;
}

export interface Segment {
  name: string;
  start: string;
  end: string;
  seconds: number;
}

export interface TraceView {
  entries: JsonObject[];
  models: ModelView[];
  dropped: number;
  note?: string;
}

export interface Usage {
  modelCalls?: number;
  inputTokens?: number;
  cachedTokens?: number;
  outputTokens?: number;
  totalTokens?: number;
  toolCalls?: number;
  reasks?: number;
  providerWaits?: number;
  replayedModelCalls?: number;
  replayedToolCalls?: number;
  estimatedModelCalls?: number;
  costUSD?: string;
  tools?: Record<string, number>;
}

export interface Verdict {
  phase: "Pending" | "Rejected" | "Running" | "Waiting" | "Paused" | "Suspended" | "Succeeded" | "Failed" | "Cancelled";
  reason: string;
  message: string;
  at: string;
}
