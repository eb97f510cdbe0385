/** One conversation's life: its thread, its stream, what is sent. It knows no DOM; views read `state` when `onChange` calls. */
import { type Api, Problem } from "../api";
import { type Conversation, EMPTY, advance, dropped, leaving, left } from "../conversation";
import { EventStream, type StreamState } from "../sse";
import type { ThreadEvent } from "../types";

/** Where the thread's id outlives a reload: the tab's session storage, an attribute, or nowhere. */
export interface ThreadStore {
  read(): string;
  write(id: string): void;
}

/** The tab's own memory; a browser that forbids storage (a third-party frame) only loses the reload. */
export function tabStore(key: string): ThreadStore {
  return {
    read: () => {
      try {
        return sessionStorage.getItem(key) ?? "";
      } catch {
        return "";
      }
    },
    write: (id) => {
      try {
        if (id) sessionStorage.setItem(key, id);
        else sessionStorage.removeItem(key);
      } catch {
        /* kept in memory only */
      }
    },
  };
}

export type Trouble = "" | "signed_out" | "no_access" | "gone" | "unreachable";

/** Our own ids in the contract's form. */
export function newId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `${prefix}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export class Session {
  state: Conversation = EMPTY;
  thread = "";
  stream: StreamState | "idle" = "idle";
  trouble: Trouble = "";

  private events: EventStream | null = null;
  private opening: Promise<string> | null = null;
  private scheduled = false;

  constructor(
    public api: Api,
    private readonly store: ThreadStore,
    private readonly onChange: () => void,
  ) {}

  /** Goes on where the tab was, or opens a thread about a ticket, or waits for the first message. */
  async start(about: { ticket?: string; incident?: string } = {}): Promise<void> {
    const known = this.store.read();
    if (known) this.open(known);
    else if (about.ticket || about.incident) await this.fresh(about);
    else this.changed();
  }

  /** Shows an existing thread from its first event. */
  open(id: string): void {
    this.leave();
    this.thread = id;
    this.store.write(id);
    this.listen();
    this.changed();
  }

  /** Begins anew. Without a subject the thread is only made when something is sent. */
  async fresh(about: { ticket?: string; incident?: string } = {}): Promise<void> {
    this.leave();
    this.store.write("");
    this.changed();
    if (!about.ticket && !about.incident) return;
    try {
      await this.make(about);
    } catch (error) {
      this.trouble = troubleOf(error);
      this.changed();
    }
  }

  /** Takes new credentials (a renewed sign-in) and goes on from the last event seen. */
  renew(api: Api): void {
    this.api = api;
    this.trouble = "";
    if (this.thread) this.listen();
    this.changed();
    // What could not leave for want of a sign-in leaves now.
    for (const out of this.state.outbox) if (out.state === "failed" && out.problem === "signed_out") void this.deliver(out);
  }

  leave(): void {
    this.events?.close();
    this.events = null;
    this.opening = null;
    this.state = EMPTY;
    this.thread = "";
    this.stream = "idle";
    this.trouble = "";
  }

  reconnect(): void {
    this.events?.now();
  }

  async send(text: string): Promise<void> {
    await this.deliver({ runId: newId("RUN"), messageId: newId("MSG"), text });
  }

  /** Sends a failed message again under its first run id, so a message that did arrive is not asked twice. */
  async retry(runId: string): Promise<void> {
    const out = this.state.outbox.find((one) => one.runId === runId);
    if (out) await this.deliver(out);
  }

  drop(runId: string): void {
    this.state = dropped(this.state, runId);
    this.changed();
  }

  stop(): Promise<void> {
    return this.api.stopRun(this.thread);
  }

  feedback(run: string, useful: boolean, why?: string): Promise<void> {
    return this.api.feedback(this.thread, why ? { run, useful, why } : { run, useful });
  }

  private async deliver(out: { runId: string; messageId: string; text: string }): Promise<void> {
    this.state = leaving(this.state, out);
    this.changed();
    try {
      const thread = this.thread || (await this.make({}));
      await this.api.send(thread, out.runId, { id: out.messageId, text: out.text });
      this.state = left(this.state, out.runId);
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(0, "unreadable", String(error), "");
      if (problem.signedOut) this.trouble = "signed_out";
      this.state = left(this.state, out.runId, problem.offline ? "offline" : problem.signedOut ? "signed_out" : problem.message);
    }
    this.changed();
  }

  /** Makes the thread once, however many ask for it. */
  private make(about: { ticket?: string; incident?: string }): Promise<string> {
    this.opening ??= this.api
      .createThread(about)
      .then(({ id }) => {
        this.thread = id;
        this.store.write(id);
        this.listen();
        return id;
      })
      .finally(() => {
        this.opening = null;
      });
    return this.opening;
  }

  private listen(): void {
    const before = this.events;
    this.events = null;
    before?.close();
    const path = `/api/threads/${encodeURIComponent(this.thread)}/events`;
    const after = this.state.seq > 0 ? String(this.state.seq) : "";
    // It says "connecting" while it is being made, before it can be compared with itself.
    let events: EventStream | null = null;
    const old = (): boolean => this.events !== null && events !== this.events;
    events = new EventStream(
      this.api,
      path,
      {
        onEvent: (event, id) => {
          if (old()) return;
          this.state = advance(this.state, event as ThreadEvent, id);
          this.changed();
        },
        onState: (stream) => {
          if (old()) return;
          this.stream = stream;
          this.changed();
        },
        onRefused: (problem) => this.refused(problem),
      },
      after,
    );
    this.events = events;
  }

  private refused(problem: Problem): void {
    if (problem.status === 404) {
      this.leave();
      this.store.write("");
    }
    this.trouble = troubleOf(problem);
    this.changed();
  }

  /** One call per frame however many events came; a hidden page is told more slowly, since it gets no frames. */
  private changed(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const tell = (): void => {
      this.scheduled = false;
      this.onChange();
    };
    if (typeof document !== "undefined" && document.hidden) setTimeout(tell, 100);
    else requestAnimationFrame(tell);
  }
}

function troubleOf(error: unknown): Trouble {
  if (!(error instanceof Problem)) return "unreachable";
  if (error.status === 401) return "signed_out";
  if (error.status === 403) return "no_access";
  if (error.status === 404) return "gone";
  return "unreachable";
}
