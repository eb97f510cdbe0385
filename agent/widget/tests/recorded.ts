/** A conversation as its log holds it: a question, checks, an answer, a card; decided elsewhere; a second question; a stopped run; an error. */
import type { Card, ThreadEvent } from "../src/types";

export const DIGEST = `sha256:${"3f".repeat(32)}`;

export function card(state: Card["state"]): Card {
  return {
    digest: DIGEST,
    short: "3f3f3f3f3f3f",
    incident: "INC-1",
    ticket: "T-1",
    subject: "Nobody can sign in",
    state,
    headline: "Restart the service web",
    action: "service.restart",
    action_title: "Restart a service",
    target: { name: "web", title: "Web", environment: "production", owner: "team", kind: "service", needed_by: [] },
    params: [],
    exact: "{}",
    risk: { level: "low", why: "", reversible: true },
    precondition: "",
    effect: [],
    unchanged: [],
    diff: "",
    rehearsed_at: "2026-01-01T00:00:00Z",
    undo: { possible: true, says: "" },
    checks_afterwards: [],
    on_failure: "",
    why: { says: "", standing: "", page: "", title: "", other_causes: [], missing: [], by: "runbooks" },
    evidence: [],
    requester: "ines.costa",
    author: "countersign",
    may_approve: ["sam.okafor"],
    needed: 1,
    created_at: "2026-01-01T00:00:00Z",
    expires_at: "2026-01-01T00:15:00Z",
    now: "2026-01-01T00:00:00Z",
    decision: null,
    outcome: null,
    friction: { page_only: false, type_target: false, wait_ms: 0, see_all: false },
    editable: null,
    args: {},
    successor: null,
    hidden_characters: false,
    shown: "",
  };
}

function text(id: string, ...deltas: string[]): ThreadEvent[] {
  return [
    { type: "TEXT_MESSAGE_START", messageId: id, role: "assistant" },
    ...deltas.map((delta): ThreadEvent => ({ type: "TEXT_MESSAGE_CONTENT", messageId: id, delta })),
    { type: "TEXT_MESSAGE_END", messageId: id },
  ];
}

function started(runId: string, said?: string): ThreadEvent {
  const messages = said === undefined ? undefined : [{ id: `${runId}-user`, role: "user", content: said }];
  const input = messages ? { threadId: "TH-1", runId, messages } : undefined;
  return { type: "RUN_STARTED", threadId: "TH-1", runId, metadata: { at: "2026-01-01T00:00:00Z" }, ...(input ? { input } : {}) };
}

const snapshot = (state: Card["state"]): ThreadEvent => ({
  type: "ACTIVITY_SNAPSHOT",
  messageId: `card-${DIGEST}`,
  activityType: "proposal",
  content: card(state),
  replace: true,
});

export const RECORDED: ThreadEvent[] = [
  started("RUN-1", "Nobody can sign in"),
  { type: "STEP_STARTED", stepName: "investigate", metadata: { says: "looking" } },
  { type: "TOOL_CALL_START", toolCallId: "c1", toolCallName: "read_log", metadata: { readOnly: true, mcpServer: "diagnostics" } },
  { type: "TOOL_CALL_ARGS", toolCallId: "c1", delta: '{"service":' },
  { type: "TOOL_CALL_ARGS", toolCallId: "c1", delta: '"web"}' },
  { type: "TOOL_CALL_END", toolCallId: "c1" },
  { type: "TOOL_CALL_RESULT", messageId: "c1-r", toolCallId: "c1", content: "212 errors", metadata: { ms: 84, isError: false, evidence: "E1" } },
  { type: "TOOL_CALL_START", toolCallId: "c2", toolCallName: "sessions", metadata: { readOnly: true, mcpServer: "diagnostics" } },
  { type: "TOOL_CALL_RESULT", messageId: "c2-r", toolCallId: "c2", content: "denied", metadata: { ms: 9, isError: true, evidence: "E2" } },
  { type: "STEP_FINISHED", stepName: "investigate" },
  {
    type: "ACTIVITY_SNAPSHOT",
    messageId: "s1",
    activityType: "sources",
    content: {
      sources: [{ n: 1, page: "web", title: "Web", score: 1, relevant: true, executable: true, digest: "d", passages: [] }],
      similar: [],
    },
  },
  ...text("m1", "The **pool** is ", "exhausted [1][E1].\n\n", "- one\n- two\n"),
  snapshot("awaiting"),
  {
    type: "RUN_FINISHED",
    threadId: "TH-1",
    runId: "RUN-1",
    outcome: { type: "interrupt", interrupts: [{ id: `${DIGEST}.1`, reason: "confirmation", metadata: { card: card("awaiting") } }] },
  },
  started("RUN-2", "why?"),
  ...text("m2", "Because of [E1]."),
  { type: "RUN_FINISHED", threadId: "TH-1", runId: "RUN-2", outcome: { type: "success" } },
  snapshot("approved"),
  started("RUN-3"),
  { type: "STEP_STARTED", stepName: "execute" },
  snapshot("executing"),
  { type: "CUSTOM", name: "countersign.notice", value: { level: "warning", says: "The log could not be read." } },
  snapshot("verified"),
  ...text("m3", "It works again."),
  { type: "RUN_FINISHED", threadId: "TH-1", runId: "RUN-3", outcome: { type: "success" } },
  started("RUN-4", "and now?"),
  { type: "TEXT_MESSAGE_START", messageId: "m4", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m4", delta: "I am" },
  { type: "RUN_FINISHED", threadId: "TH-1", runId: "RUN-4", outcome: { type: "cancelled" } },
  started("RUN-5", "once more"),
  { type: "RUN_ERROR", message: "Something went wrong.", code: "internal", metadata: { correlation: "c-1" } },
];
