/** What travels between the server and the browser: the JSON of the API and the AG-UI 1.0 events this product uses. */

export type Locale = "en" | "de";
export type Theme = "light" | "dark" | "auto";
export type Risk = "read_only" | "low" | "medium" | "high";
export type Decision = "approve" | "reject" | "edit" | "ask" | "withdraw";

export type ProposalState =
  | "awaiting"
  | "approved"
  | "rejected"
  | "expired"
  | "superseded"
  | "withdrawn"
  | "executing"
  | "stale"
  | "failed"
  | "unknown"
  | "executed"
  | "verified"
  | "not_verified"
  | "inconclusive";

export type IncidentState =
  | "open"
  | "investigating"
  | "awaiting_approval"
  | "executing"
  | ProposalState
  | "fix"
  | "by_hand"
  | "healthy"
  | "contradiction"
  | "undecided"
  | "page"
  | "no_page"
  | "no_service"
  | "nothing_to_read";

/** A passage of a knowledge page, quoted word for word. */
export interface Passage {
  heading: string;
  text: string;
  digest: string;
}

/** A numbered source: `[n]` in an answer's text points at it. */
export interface Source {
  n: number;
  page: string;
  title: string;
  score: number;
  relevant: boolean;
  executable: boolean;
  digest: string;
  passages: Passage[];
}

export interface SimilarTicket {
  ticket: string;
  subject: string;
  solved_at: string;
  solution: string;
  verified: boolean;
}

/** One field of an edit form. The server validates again; this only keeps honest people from typos. */
export interface FieldSchema {
  type: "string" | "integer";
  title?: string;
  description?: string;
  pattern?: string;
  enum?: (string | number)[];
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}

export interface EditSchema {
  type: "object";
  properties: Record<string, FieldSchema>;
  required?: string[];
}

/** What the viewer of a card may do with it, said by the server. Absent where the card came with a thread's event. */
export interface You {
  may_approve: boolean;
  why_not: string;
  may_reject: boolean;
  may_edit: boolean;
  sign_in: boolean;
}

export interface CardEvidence {
  id: string;
  tool: string;
  service: string;
  at: string;
  says: string;
  server: string;
}

export interface CardCheck {
  tool: string;
  service: string;
  ok: boolean;
  known: boolean;
  says: string;
}

/** One immutable proposal as the server renders it. Nothing in it is computed in the browser. */
export interface Card {
  digest: string;
  short: string;
  incident: string;
  ticket: string;
  subject: string;
  state: ProposalState;
  headline: string;
  action: string;
  action_title: string;
  action_description?: string;
  target: { name: string; title: string; environment: string; owner: string; kind: string; needed_by: string[] };
  params: { name: string; value: string; description: string }[];
  exact: string;
  risk: { level: Risk; why: string; reversible: boolean };
  precondition: string;
  effect: { name: string; before: string; after: string }[];
  unchanged: { name: string; value: string }[];
  diff: string;
  rehearsed_at: string;
  undo: { possible: boolean; says: string };
  checks_afterwards: string[];
  on_failure: string;
  why: {
    says: string;
    standing: string;
    page: string;
    title: string;
    other_causes: string[];
    missing: string[];
    by: string;
  };
  evidence: CardEvidence[];
  requester: string;
  author: string;
  /** Whether a person changed the parameters; then they are the author. */
  edited?: boolean;
  may_approve: string[];
  needed: number;
  created_at: string;
  expires_at: string;
  now: string;
  decision: { by: string; at: string; reason: string; state: string } | null;
  outcome: { started_at: string; finished_at: string; reason: string; checks: CardCheck[] } | null;
  friction: { page_only: boolean; type_target: boolean; wait_ms: number; see_all: boolean };
  editable: EditSchema | null;
  args: Record<string, string | number>;
  successor: string | null;
  hidden_characters: boolean;
  shown: string;
  you?: You;
}

export interface DecisionRequest {
  decision: Decision;
  reason?: string;
  args?: Record<string, string | number>;
  question?: string;
  thread?: string;
  shown: string;
  seconds_on_screen?: number;
}

/** The answer of the decision route; `ask` answers with a run instead of a state. */
export interface DecisionAnswer {
  digest?: string;
  state?: ProposalState;
  approver?: string;
  successor?: string;
  threadId?: string;
  runId?: string;
}

export type StopLevel = "effects" | "model" | "intake";

export interface Stopped {
  by: string;
  at: string;
  reason: string;
}

export interface Me {
  person: string;
  name: string;
  roles: string[];
  permissions: string[];
  via: "session" | "frame" | "widget" | "key" | "demo";
  signed_in_at: string;
  origin: string;
  demo: boolean;
  product: { name: string; version: string };
  stopped: Partial<Record<StopLevel, Stopped>>;
}

export interface ThreadSummary {
  id: string;
  title: string;
  incident: string | null;
  updated_at: string;
  state: string;
}

export interface Incident {
  id: string;
  ticket: string;
  subject: string;
  requester: string;
  service: string | null;
  state: IncidentState;
  opened_at: string;
  updated_at: string;
  open_card: string | null;
}

export interface Observation {
  id: string;
  tool: string;
  args: Record<string, unknown>;
  at: string;
  took_ms: number;
  server: string;
  made: boolean;
  says: string;
  result: unknown;
  error: string | null;
}

export interface Cause {
  id: string;
  page: string;
  service: string;
  says: string;
  truth: string;
  standing: string;
  evidence: string[];
  decided_by: string[];
  fix: { action: string; target: string; params: Record<string, string | number | boolean> } | null;
  steps: string;
}

export interface Diagnosis {
  outcome: string;
  says: string;
  causes: Cause[];
  /** How many causes of these pages were ruled out by what was measured. */
  ruled_out: number;
  reasoner: string;
  missing: string[];
}

export interface TimelineEntry {
  seq: number;
  at: string;
  actor: string;
  event: string;
  says?: string;
  data: Record<string, unknown>;
}

export interface Story {
  incident: Incident;
  body: string;
  service: ServiceInfo | null;
  sources: Source[];
  similar: SimilarTicket[];
  observations: Observation[];
  diagnosis: Diagnosis | null;
  missing: string[];
  proposals: Card[];
  notes: { at: string; key: string; text: string; written: boolean }[];
  timeline: TimelineEntry[];
  threads: string[];
}

export interface ServiceInfo {
  name: string;
  title: string;
  owner: string;
  scope: string[];
}

export interface AuditEntry {
  seq: number;
  at: string;
  actor: string;
  incident: string;
  event: string;
  data: Record<string, unknown>;
  hash: string;
}

export interface KnowledgePage {
  page: string;
  title: string;
  score: number;
  relevant: boolean;
  passages: Passage[];
  why?: string;
}

export interface DemoInfo {
  company: string;
  faults: { name: string; summary: string }[];
  people: unknown[];
  well: boolean;
}

/** What `GET /api/events` says to the console. */
export type ConsoleEvent =
  | { type: "incident"; id: string; state: IncidentState }
  | { type: "proposal"; digest: string; incident: string; state: ProposalState }
  | { type: "stop" };

/* ---- AG-UI events of a thread's log ---------------------------------------------------------------------------------------- */

interface Base {
  timestamp?: number;
  metadata?: Record<string, unknown>;
}

export interface RunStarted extends Base {
  type: "RUN_STARTED";
  threadId: string;
  runId: string;
  input?: { threadId?: string; runId?: string; messages?: { id?: string; role: string; content?: unknown }[] };
}
export type RunOutcome =
  | { type: "success" }
  | { type: "cancelled" }
  | { type: "interrupt"; interrupts: { id: string; reason: string; message?: string; metadata?: Record<string, unknown> }[] };
export interface RunFinished extends Base {
  type: "RUN_FINISHED";
  threadId: string;
  runId: string;
  outcome?: RunOutcome;
}
export interface RunError extends Base {
  type: "RUN_ERROR";
  message: string;
  code?: string;
}
export interface StepStarted extends Base {
  type: "STEP_STARTED";
  stepName: string;
}
export interface StepFinished extends Base {
  type: "STEP_FINISHED";
  stepName: string;
}
export interface ToolCallStart extends Base {
  type: "TOOL_CALL_START";
  toolCallId: string;
  toolCallName: string;
}
export interface ToolCallArgs extends Base {
  type: "TOOL_CALL_ARGS";
  toolCallId: string;
  delta: string;
}
export interface ToolCallEnd extends Base {
  type: "TOOL_CALL_END";
  toolCallId: string;
}
export interface ToolCallResult extends Base {
  type: "TOOL_CALL_RESULT";
  messageId: string;
  toolCallId: string;
  content: string;
}
export interface ActivitySnapshot extends Base {
  type: "ACTIVITY_SNAPSHOT";
  messageId: string;
  activityType: string;
  content: unknown;
  replace?: boolean;
}
export interface TextStart extends Base {
  type: "TEXT_MESSAGE_START";
  messageId: string;
  role?: string;
}
export interface TextContent extends Base {
  type: "TEXT_MESSAGE_CONTENT";
  messageId: string;
  delta: string;
}
export interface TextEnd extends Base {
  type: "TEXT_MESSAGE_END";
  messageId: string;
}
export interface Custom extends Base {
  type: "CUSTOM";
  name: string;
  value: unknown;
}

export type ThreadEvent =
  | RunStarted
  | RunFinished
  | RunError
  | StepStarted
  | StepFinished
  | ToolCallStart
  | ToolCallArgs
  | ToolCallEnd
  | ToolCallResult
  | ActivitySnapshot
  | TextStart
  | TextContent
  | TextEnd
  | Custom;
