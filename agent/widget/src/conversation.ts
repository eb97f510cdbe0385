/**
 * A conversation as a view model, and the pure function that advances it by one event of the thread's log.
 *
 * The log is the truth: the same events give the same model however the connection cut them, an event seen twice changes nothing, and a
 * number that goes backwards is ignored. What the browser adds of its own is the outbox: messages that the log does not show yet.
 */
import type { Card, RunOutcome, ServiceInfo, SimilarTicket, Source, ThreadEvent } from "./types";

export interface Check {
  id: string;
  tool: string;
  args: string;
  server: string;
  readOnly: boolean;
  state: "running" | "made" | "failed";
  says: string;
  ms: number | null;
  evidence: string;
}

export interface Step {
  name: string;
  state: "running" | "done";
  says: string;
}

export type Item =
  | { kind: "user"; id: string; run: string; text: string; at: string }
  | { kind: "work"; id: string; run: string; steps: Step[]; checks: Check[]; done: boolean }
  | { kind: "answer"; id: string; run: string; text: string; done: boolean; sources: string | null }
  | { kind: "sources"; id: string; run: string; sources: Source[]; similar: SimilarTicket[] }
  | { kind: "service"; id: string; run: string; service: ServiceInfo }
  | { kind: "card"; id: string; run: string; card: Card }
  | { kind: "notice"; id: string; run: string; level: "info" | "warning"; says: string }
  | { kind: "error"; id: string; run: string; code: string; message: string; correlation: string };

export type ItemOf<K extends Item["kind"]> = Extract<Item, { kind: K }>;

export interface Run {
  id: string;
  at: string;
  asked: boolean;
  state: "running" | "success" | "cancelled" | "interrupt" | "error";
}

/** A message on its way: `failed` ones wait for the user to try again with the same run id, so that it cannot be sent twice. */
export interface Outgoing {
  runId: string;
  messageId: string;
  text: string;
  state: "sending" | "sent" | "failed";
  problem: string;
}

export interface Conversation {
  seq: number;
  caughtUp: boolean;
  items: readonly Item[];
  runs: readonly Run[];
  /** The run whose events come now, or "". */
  current: string;
  /** The sources that a citation means now. */
  sources: string | null;
  outbox: readonly Outgoing[];
}

export const EMPTY: Conversation = { seq: 0, caughtUp: false, items: [], runs: [], current: "", sources: null, outbox: [] };

/** The conversation after one more event. `seq` is the event's number in the log, or "" for one that is not in it. */
export function advance(was: Conversation, event: ThreadEvent, seq = ""): Conversation {
  const number = Number(seq);
  if (seq !== "") {
    if (!(number > was.seq)) return was;
    return { ...happened(was, event), seq: number };
  }
  return event.type === "CUSTOM" ? happened(was, event) : was;
}

function happened(was: Conversation, event: ThreadEvent): Conversation {
  switch (event.type) {
    case "RUN_STARTED":
      return runStarted(was, event);
    case "RUN_FINISHED":
      return runFinished(was, event.outcome ?? { type: "success" });
    case "RUN_ERROR": {
      const correlation = word(event.metadata?.["correlation"]);
      const ended = runEnded(was, "error");
      const run = was.current;
      return add(ended, { kind: "error", id: `error-${run}-${was.items.length}`, run, code: event.code ?? "", message: event.message, correlation });
    }
    case "STEP_STARTED":
      return work(was, (item) => ({
        ...item,
        steps: [...item.steps, { name: event.stepName, state: "running", says: word(event.metadata?.["says"]) }],
      }));
    case "STEP_FINISHED":
      return work(was, (item) => ({ ...item, steps: finishStep(item.steps, event.stepName, word(event.metadata?.["says"])) }));
    case "TOOL_CALL_START":
      return work(was, (item) => ({
        ...item,
        checks: [
          ...item.checks.filter((check) => check.id !== event.toolCallId),
          {
            id: event.toolCallId,
            tool: event.toolCallName,
            args: "",
            server: word(event.metadata?.["mcpServer"]),
            readOnly: event.metadata?.["readOnly"] !== false,
            state: "running",
            says: "",
            ms: null,
            evidence: "",
          },
        ],
      }));
    case "TOOL_CALL_ARGS":
      return check(was, event.toolCallId, (known) => ({ ...known, args: known.args + event.delta }));
    case "TOOL_CALL_END":
      return was;
    case "TOOL_CALL_RESULT": {
      const { ms, isError, evidence } = event.metadata ?? {};
      return check(was, event.toolCallId, (known) => ({
        ...known,
        state: isError === true ? "failed" : "made",
        says: event.content,
        ms: typeof ms === "number" ? ms : null,
        evidence: word(evidence),
      }));
    }
    case "ACTIVITY_SNAPSHOT":
      return activity(was, event.messageId, event.activityType, event.content);
    case "TEXT_MESSAGE_START":
      return answer(was, event.messageId, (item) => item);
    case "TEXT_MESSAGE_CONTENT":
      return answer(was, event.messageId, (item) => ({ ...item, text: item.text + event.delta }));
    case "TEXT_MESSAGE_END":
      return answer(was, event.messageId, (item) => ({ ...item, done: true }));
    case "CUSTOM":
      return custom(was, event.name, event.value);
    default:
      return was; // an event of a later version
  }
}

function runStarted(was: Conversation, event: Extract<ThreadEvent, { type: "RUN_STARTED" }>): Conversation {
  const at = word(event.metadata?.["at"]);
  const message = event.input?.messages?.findLast((one) => one.role === "user");
  const run: Run = { id: event.runId, at, asked: message !== undefined, state: "running" };
  const next: Conversation = {
    ...was,
    runs: [...was.runs.filter((known) => known.id !== run.id), run],
    current: run.id,
    outbox: was.outbox.filter((out) => out.runId !== run.id),
  };
  if (!message) return next;
  return put(next, { kind: "user", id: message.id ?? `user-${run.id}`, run: run.id, text: textOf(message.content), at });
}

function runFinished(was: Conversation, outcome: RunOutcome): Conversation {
  let next = runEnded(was, outcome.type);
  if (outcome.type !== "interrupt") return next;
  for (const interrupt of outcome.interrupts) {
    const card = interrupt.metadata?.["card"];
    const id = isCard(card) ? `card-${card.digest}` : "";
    if (isCard(card) && !next.items.some((item) => item.id === id)) next = put(next, { kind: "card", id, run: was.current, card });
  }
  return next;
}

function runEnded(was: Conversation, state: Run["state"]): Conversation {
  const run = was.current;
  return {
    ...was,
    current: "",
    runs: was.runs.map((known) => (known.id === run ? { ...known, state } : known)),
    items: was.items.map((item) => (item.run === run ? settled(item) : item)),
  };
}

function settled(item: Item): Item {
  if (item.kind === "answer") return item.done ? item : { ...item, done: true };
  if (item.kind !== "work") return item;
  return {
    ...item,
    done: true,
    steps: item.steps.map((step) => ({ ...step, state: "done" })),
    checks: item.checks.map((one) => (one.state === "running" ? { ...one, state: "failed" } : one)),
  };
}

function finishStep(steps: Step[], name: string, says: string): Step[] {
  const at = steps.findLastIndex((step) => step.name === name && step.state === "running");
  return steps.map((step, index) => (index === at ? { ...step, state: "done", says: says || step.says } : step));
}

function work(was: Conversation, change: (item: ItemOf<"work">) => ItemOf<"work">): Conversation {
  const id = `work-${was.current}`;
  const known = was.items.find((item) => item.id === id);
  const item: ItemOf<"work"> =
    known?.kind === "work" ? known : { kind: "work", id, run: was.current, steps: [], checks: [], done: false };
  return put(was, change(item));
}

/** A result may come after its run has ended (a slow system), so the call is looked for everywhere. */
function check(was: Conversation, id: string, change: (known: Check) => Check): Conversation {
  const holder = was.items.findLast((item) => item.kind === "work" && item.checks.some((one) => one.id === id));
  if (holder?.kind !== "work") return was;
  return put(was, { ...holder, checks: holder.checks.map((one) => (one.id === id ? change(one) : one)) });
}

function answer(was: Conversation, id: string, change: (item: ItemOf<"answer">) => ItemOf<"answer">): Conversation {
  const known = was.items.find((item) => item.id === id);
  const item: ItemOf<"answer"> =
    known?.kind === "answer" ? known : { kind: "answer", id, run: was.current, text: "", done: false, sources: was.sources };
  return put(was, change(item));
}

function activity(was: Conversation, id: string, type: string, content: unknown): Conversation {
  const run = was.current;
  if (type === "sources") {
    const { sources = [], similar = [] } = (content ?? {}) as { sources?: Source[]; similar?: SimilarTicket[] };
    return { ...put(was, { kind: "sources", id, run, sources, similar }), sources: id };
  }
  if (type === "proposal" && isCard(content)) return put(was, { kind: "card", id: `card-${content.digest}`, run, card: content });
  if (type === "service") return put(was, { kind: "service", id, run, service: content as ServiceInfo });
  return was;
}

function custom(was: Conversation, name: string, value: unknown): Conversation {
  const { level, says } = (value ?? {}) as { level?: unknown; says?: unknown };
  if (name === "countersign.caught_up") return was.caughtUp ? was : { ...was, caughtUp: true };
  if (name !== "countersign.notice") return was;
  const id = `notice-${was.items.length}`;
  return add(was, { kind: "notice", id, run: was.current, level: level === "warning" ? "warning" : "info", says: word(says) });
}

/** Replaces the item with this id where it stands (and keeps its run), or adds it at the end. */
function put(was: Conversation, item: Item): Conversation {
  const at = was.items.findIndex((known) => known.id === item.id);
  if (at < 0) return add(was, item);
  const known = was.items[at];
  const items = was.items.slice();
  items[at] = known ? { ...item, run: known.run } : item;
  return { ...was, items };
}

function add(was: Conversation, item: Item): Conversation {
  return { ...was, items: [...was.items, item] };
}

function isCard(value: unknown): value is Card {
  return typeof value === "object" && value !== null && typeof (value as Card).digest === "string";
}

function word(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A message's text; of the protocol's multi-part contents only the text parts. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: { type?: unknown; text?: unknown }) => (part.type === "text" ? word(part.text) : "")).join("");
}

/* ---- the outbox ------------------------------------------------------------------------------------------------------------- */

/** A message leaves (again): the same run id replaces the earlier attempt. A run the log already shows is not sent again. */
export function leaving(was: Conversation, out: { runId: string; messageId: string; text: string }): Conversation {
  if (was.runs.some((run) => run.id === out.runId)) return was;
  const outgoing: Outgoing = { ...out, state: "sending", problem: "" };
  const known = was.outbox.some((one) => one.runId === out.runId);
  return {
    ...was,
    outbox: known ? was.outbox.map((one) => (one.runId === out.runId ? outgoing : one)) : [...was.outbox, outgoing],
  };
}

/** The server has taken the message (its events will show it), or the sending failed for `problem`. */
export function left(was: Conversation, runId: string, problem = ""): Conversation {
  const state = problem ? "failed" : "sent";
  return { ...was, outbox: was.outbox.map((one) => (one.runId === runId ? { ...one, state, problem } : one)) };
}

/** The user gives a failed message up. */
export function dropped(was: Conversation, runId: string): Conversation {
  return { ...was, outbox: was.outbox.filter((one) => one.runId !== runId) };
}

/* ---- what views ask --------------------------------------------------------------------------------------------------------- */

/** A run with what belongs to it, in the order it is read: what was asked, what was looked at, answer, its sources, card, the rest. */
export interface Turn {
  run: Run | null;
  key: string;
  items: Item[];
}

export function turns(state: Conversation): Turn[] {
  const found: Turn[] = [];
  const byRun = new Map<string, Turn>();
  for (const item of state.items) {
    let turn = byRun.get(item.run);
    if (!turn) {
      turn = { run: state.runs.find((run) => run.id === item.run) ?? null, key: item.run || item.id, items: [] };
      byRun.set(item.run, turn);
      found.push(turn);
    }
    turn.items.push(item);
  }
  const current = state.runs.at(-1);
  if (current && current.state === "running" && !byRun.has(current.id)) found.push({ run: current, key: current.id, items: [] });
  for (const turn of found) turn.items = reading(turn.items);
  return found;
}

/** Sources arrive before the text that cites them and are read after it. */
function reading(items: Item[]): Item[] {
  const of = (kind: Item["kind"]): Item[] => items.filter((item) => item.kind === kind);
  const rest = items.filter((item) => !["user", "service", "work", "sources"].includes(item.kind));
  const answer = rest.findIndex((item) => item.kind === "answer");
  const at = answer < 0 ? rest.length : answer + 1;
  return [...of("user"), ...of("service"), ...of("work"), ...rest.slice(0, at), ...of("sources"), ...rest.slice(at)];
}

export function running(state: Conversation): boolean {
  return state.current !== "" || state.outbox.some((out) => out.state !== "failed");
}

export function cards(state: Conversation): Card[] {
  return state.items.flatMap((item) => (item.kind === "card" ? [item.card] : []));
}

export function waitingCards(state: Conversation): number {
  return cards(state).filter((card) => card.state === "awaiting").length;
}

export function sourcesOf(state: Conversation, id: string | null): Source[] {
  const item = state.items.find((one) => one.id === id);
  return item?.kind === "sources" ? item.sources : [];
}

/** Every check of the conversation, by its evidence label: an answer may cite what an earlier run has seen. */
export function evidence(state: Conversation): Map<string, Check> {
  const found = new Map<string, Check>();
  for (const item of state.items) {
    if (item.kind !== "work") continue;
    for (const one of item.checks) if (one.evidence) found.set(one.evidence, one);
  }
  return found;
}
