/** Server-sent events over fetch: with a bearer token, resumed after the last id seen, watched for silence. */
import { type Api, Problem } from "./api";

/** One frame of the stream. `id` is "" where the frame has none. */
export interface Frame {
  id: string;
  event: string;
  data: string;
}

/** An incremental parser of the WHATWG event-stream format: feed it text cut anywhere, it calls back per frame. */
export class FrameParser {
  private buffer = "";
  private data: string[] = [];
  private id = "";
  private event = "";
  private first = true;

  constructor(private readonly onFrame: (frame: Frame) => void) {}

  feed(chunk: string): void {
    this.buffer += chunk;
    if (this.first && this.buffer.length > 0) {
      this.first = false;
      if (this.buffer.startsWith("\uFEFF")) this.buffer = this.buffer.slice(1);
    }
    let start = 0;
    for (let at = 0; at < this.buffer.length; at++) {
      const char = this.buffer[at];
      if (char !== "\n" && char !== "\r") continue;
      if (char === "\r" && at + 1 === this.buffer.length) break; // a "\n" may follow in the next chunk
      this.line(this.buffer.slice(start, at));
      if (char === "\r" && this.buffer[at + 1] === "\n") at++;
      start = at + 1;
    }
    this.buffer = this.buffer.slice(start);
  }

  private line(line: string): void {
    if (line === "") {
      if (this.data.length > 0) this.onFrame({ id: this.id, event: this.event || "message", data: this.data.join("\n") });
      this.data = [];
      this.id = "";
      this.event = "";
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
    else if (field === "event") this.event = value;
  }
}

/** `connecting` at first, `open` while bytes come, `reconnecting` between attempts, `offline` when the browser says so, `ended` for good. */
export type StreamState = "connecting" | "open" | "reconnecting" | "offline" | "ended";

export interface StreamHandlers {
  /** A frame whose data is JSON. */
  onEvent(event: unknown, id: string): void;
  onState?(state: StreamState): void;
  /** A refusal that a retry will not change (401, 403, 404): the stream has ended. */
  onRefused?(problem: Problem): void;
}

/** The server sends a comment every 15 s; after three of them missing, the connection is dead whatever TCP believes. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 20_000;

/** How long to wait before attempt `n` (from 0): doubling, with "full jitter" in the upper half so that clients do not return together. */
export function backoff(n: number, random: () => number = Math.random): number {
  const top = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** n);
  return top / 2 + (random() * top) / 2;
}

/** A stream that stays: reconnects with the last id until `close()` or a refusal. */
export class EventStream {
  private last = "";
  private attempt = 0;
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private readonly online = (): void => this.now();
  private readonly offline = (): void => this.drop();

  constructor(
    private readonly api: Api,
    private readonly path: string,
    private readonly handlers: StreamHandlers,
    after = "",
  ) {
    this.last = after;
    addEventListener("online", this.online);
    addEventListener("offline", this.offline);
    this.say("connecting");
    void this.connect();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    removeEventListener("online", this.online);
    removeEventListener("offline", this.offline);
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.abort.abort();
    this.handlers.onState?.("ended");
  }

  /** Tries again at once, such as when the browser is online again or the user asks. */
  now(): void {
    if (this.closed) return;
    this.attempt = 0;
    clearTimeout(this.timer);
    this.abort.abort();
    void this.connect();
  }

  private drop(): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.abort.abort();
    this.say("offline");
  }

  private say(state: StreamState): void {
    this.handlers.onState?.(state);
  }

  private async connect(): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (this.last) headers["Last-Event-ID"] = this.last;
      const response = await this.api.fetch(this.path, { headers, signal: abort.signal });
      if (!response.body) throw new Problem(0, "offline", "", "");
      this.say("open");
      await this.read(response.body, abort);
    } catch (error) {
      if (abort.signal.aborted && abort !== this.abort) return; // replaced by a newer attempt
      if (this.closed) return;
      if (error instanceof Problem && [401, 403, 404].includes(error.status)) {
        this.close();
        this.handlers.onRefused?.(error);
        return;
      }
    } finally {
      if (abort === this.abort) clearTimeout(this.watchdog);
    }
    if (this.closed || abort !== this.abort) return;
    this.again();
  }

  private again(): void {
    if (typeof navigator !== "undefined" && navigator.onLine === false) {
      this.say("offline");
      return; // the "online" event brings it back
    }
    this.say("reconnecting");
    this.timer = setTimeout(() => void this.connect(), backoff(this.attempt++));
  }

  private async read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
    const parser = new FrameParser((frame) => {
      if (frame.id) this.last = frame.id;
      let event: unknown;
      try {
        event = JSON.parse(frame.data);
      } catch {
        return; // not ours
      }
      this.handlers.onEvent(event, frame.id);
    });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      this.watch(abort);
      const { done, value } = await reader.read();
      if (done || abort.signal.aborted) return;
      this.attempt = 0;
      parser.feed(decoder.decode(value, { stream: true }));
    }
  }

  private watch(abort: AbortController): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
  }
}
