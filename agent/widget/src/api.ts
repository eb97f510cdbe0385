/** The server's API as typed calls. Nothing else in the widget speaks to the network, and nothing goes to another origin. */
import type {
  AuditEntry,
  Card,
  DecisionAnswer,
  DecisionRequest,
  DemoInfo,
  Incident,
  KnowledgePage,
  Me,
  StopLevel,
  Story,
  ThreadSummary,
} from "./types";

/** Where a bearer token comes from; asked before each call, so it may renew itself. `refused` is the token the server did not take. */
export interface TokenSource {
  token(refused?: string): Promise<string | null>;
}

/** How calls say who calls: by our own page's cookie, or by a bearer token. */
export type Credentials = { kind: "cookie" } | { kind: "bearer"; source: TokenSource };

/** An error that the server said in words (RFC 9457), or `offline`/`unreadable` where it could say nothing. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  /** Nobody is signed in, or the sign-in has run out. */
  get signedOut(): boolean {
    return this.status === 401;
  }

  /** The network failed: the request may or may not have arrived. */
  get offline(): boolean {
    return this.code === "offline";
  }
}

type Query = Record<string, string | number | undefined>;

export class Api {
  /** `deciding`, where given, replaces the credentials for proposals: a person's own sign-in next to a host page's token. */
  constructor(
    readonly endpoint: string,
    private credentials: Credentials,
    private deciding: Credentials | null = null,
  ) {}

  /** The same API with a person's sign-in for decisions. */
  withDeciding(deciding: Credentials | null): Api {
    return new Api(this.endpoint, this.credentials, deciding);
  }

  url(path: string, query: Query = {}): string {
    const params = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    const search = params.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`).join("&");
    return `${this.endpoint}${path}${search ? `?${search}` : ""}`;
  }

  /** The raw answer; throws `Problem` for anything but 2xx. A refused bearer token is asked for anew once. */
  async fetch(path: string, init: RequestInit = {}, query: Query = {}): Promise<Response> {
    const credentials = this.deciding && path.startsWith("/api/proposals") ? this.deciding : this.credentials;
    const url = this.url(path, query);
    if (credentials.kind === "cookie") return accept(await attempt(url, { ...init, credentials: "same-origin" }));
    const first = await credentials.source.token();
    let response = await attempt(url, bearer(init, first));
    if (response.status === 401) {
      const second = await credentials.source.token(first ?? "");
      if (second && second !== first) response = await attempt(url, bearer(init, second));
    }
    return accept(response);
  }

  async json<T>(path: string, init: RequestInit = {}, query: Query = {}): Promise<T> {
    const headers = { Accept: "application/json", ...(init.headers as Record<string, string> | undefined) };
    const response = await this.fetch(path, { ...init, headers }, query);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  private post<T>(path: string, body: unknown): Promise<T> {
    return this.json<T>(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  me(): Promise<Me> {
    return this.json("/api/me");
  }

  frameToken(): Promise<{ token: string; expires_at: string }> {
    return this.post("/api/frame-token", {});
  }

  signOut(): Promise<void> {
    return this.post("/sign-out", {});
  }

  /** Sends a message. Its events come on the thread's stream. The same `runId` twice is one run. */
  send(threadId: string, runId: string, message: { id: string; text: string }): Promise<{ threadId: string; runId: string }> {
    return this.post("/api/agent", {
      threadId,
      runId,
      messages: [{ id: message.id, role: "user", content: message.text }],
      state: {},
      tools: [],
      context: [],
      forwardedProps: {},
    });
  }

  async threads(): Promise<ThreadSummary[]> {
    return (await this.json<{ threads: ThreadSummary[] }>("/api/threads")).threads;
  }

  createThread(about: { ticket?: string; incident?: string } = {}): Promise<{ id: string }> {
    return this.post("/api/threads", about);
  }

  stopRun(thread: string): Promise<void> {
    return this.post(`/api/threads/${encodeURIComponent(thread)}/stop`, {});
  }

  feedback(thread: string, feedback: { run: string; useful: boolean; why?: string }): Promise<void> {
    return this.post(`/api/threads/${encodeURIComponent(thread)}/feedback`, feedback);
  }

  incidents(query: { state?: string; service?: string; q?: string; limit?: number } = {}): Promise<{ incidents: Incident[]; total: number }> {
    return this.json("/api/incidents", {}, query);
  }

  incident(id: string): Promise<Story> {
    return this.json(`/api/incidents/${encodeURIComponent(id)}`);
  }

  record(id: string): Promise<unknown> {
    return this.json(`/api/incidents/${encodeURIComponent(id)}/record`);
  }

  async proposals(state = "awaiting"): Promise<Card[]> {
    return (await this.json<{ proposals: Card[] }>("/api/proposals", {}, { state })).proposals;
  }

  proposal(digest: string): Promise<Card> {
    return this.json(`/api/proposals/${encodeURIComponent(digest)}`);
  }

  decide(digest: string, request: DecisionRequest): Promise<DecisionAnswer> {
    return this.post(`/api/proposals/${encodeURIComponent(digest)}/decision`, request);
  }

  stopped(): Promise<Me["stopped"]> {
    return this.json("/api/stop");
  }

  stop(level: StopLevel, reason: string): Promise<unknown> {
    return this.post("/api/stop", { level, reason });
  }

  resume(level: StopLevel): Promise<unknown> {
    return this.json("/api/stop", { method: "DELETE" }, { level });
  }

  audit(query: { incident?: string; after?: number; limit?: number } = {}): Promise<{ entries: AuditEntry[]; head: string }> {
    return this.json("/api/audit", {}, query);
  }

  search(q: string): Promise<{ pages: KnowledgePage[]; found: boolean }> {
    return this.json("/api/knowledge/search", {}, { q });
  }

  demo(): Promise<DemoInfo> {
    return this.json("/api/demo");
  }

  breakSomething(fault: string, variant?: string): Promise<{ ticket: string }> {
    return this.post("/api/demo/break", variant === undefined ? { fault } : { fault, variant });
  }
}

function bearer(init: RequestInit, token: string | null): RequestInit {
  const headers = { ...(init.headers as Record<string, string> | undefined) };
  if (token) headers["Authorization"] = `Bearer ${token}`;
  return { ...init, headers, credentials: "omit" };
}

async function attempt(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { cache: "no-store", redirect: "error", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(0, "offline", "The server could not be reached.", "");
  }
}

async function accept(response: Response): Promise<Response> {
  if (response.ok) return response;
  let said: { code?: unknown; title?: unknown; detail?: unknown } = {};
  try {
    said = (await response.json()) as typeof said;
  } catch {
    /* A proxy's own error page: the status is all there is. */
  }
  const word = (value: unknown): string => (typeof value === "string" ? value : "");
  throw new Problem(response.status, word(said.code) || "unreadable", word(said.title) || `HTTP ${response.status}`, word(said.detail));
}
