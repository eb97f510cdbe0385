import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Api, Problem } from "../src/api";
import { EventStream, type Frame, FrameParser, type StreamState, backoff } from "../src/sse";

const STREAM =
  ": countersign\n\n" +
  'id: 1\ndata: {"a":1}\n\n' +
  "id:2\r\ndata: first\r\ndata:second\r\n\r\n" +
  ": keepalive\n\n" +
  "event: other\rdata: \u00e4\u{1f600}\r\r" +
  "data\n\n" +
  "id: 3\n\n" +
  "retry: 5\nunknown: x\ndata:  two spaces\n\n" +
  "data: cut off";

const FRAMES: Frame[] = [
  { id: "1", event: "message", data: '{"a":1}' },
  { id: "2", event: "message", data: "first\nsecond" },
  { id: "", event: "other", data: "\u00e4\u{1f600}" },
  { id: "", event: "message", data: "" },
  { id: "", event: "message", data: " two spaces" },
];

function parsed(chunks: string[]): Frame[] {
  const frames: Frame[] = [];
  const parser = new FrameParser((frame) => frames.push(frame));
  for (const chunk of chunks) parser.feed(chunk);
  return frames;
}

describe("the parser of event streams", () => {
  it("finds the same frames wherever the stream was cut in two", () => {
    for (let cut = 0; cut <= STREAM.length; cut++) expect(parsed([STREAM.slice(0, cut), STREAM.slice(cut)])).toEqual(FRAMES);
  });

  it("finds them character by character, and after a byte order mark", () => {
    expect(parsed([...STREAM])).toEqual(FRAMES);
    expect(parsed([`\uFEFF${STREAM}`])).toEqual(FRAMES);
  });
});

describe("waiting before another attempt", () => {
  it("doubles to a limit, and differs between clients", () => {
    expect([0, 1, 2, 10].map((n) => backoff(n, () => 1))).toEqual([500, 1000, 2000, 20_000]);
    expect(backoff(3, () => 0)).toBe(2000);
  });
});

describe("a stream", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  function answering(...answers: (string | number | "hang")[]): { asked: (string | null)[] } {
    const asked: (string | null)[] = [];
    vi.stubGlobal("fetch", (_url: string, init: RequestInit) => {
      asked.push(new Headers(init.headers).get("Last-Event-ID"));
      const answer = answers.shift() ?? "hang";
      if (typeof answer === "number") return Promise.resolve(new Response(JSON.stringify({ code: "x" }), { status: answer }));
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          if (answer !== "hang") {
            controller.enqueue(new TextEncoder().encode(answer));
            controller.close();
          }
          init.signal?.addEventListener("abort", () => controller.error(new DOMException("", "AbortError")));
        },
      });
      return Promise.resolve(new Response(body, { status: 200 }));
    });
    return { asked };
  }

  it("goes on after the last number it has seen", async () => {
    const { asked } = answering('id: 7\ndata: {"n":7}\n\n', 'id: 8\ndata: {"n":8}\n\n');
    const events: unknown[] = [];
    const stream = new EventStream(new Api("", { kind: "cookie" }), "/x", { onEvent: (event) => events.push(event) }, "6");
    await vi.advanceTimersByTimeAsync(1500);
    stream.close();
    expect(asked.slice(0, 2)).toEqual(["6", "7"]);
    expect(events).toEqual([{ n: 7 }, { n: 8 }]);
  });

  it("takes silence for a dead connection and begins anew", async () => {
    const { asked } = answering("hang", "hang");
    const stream = new EventStream(new Api("", { kind: "cookie" }), "/x", { onEvent: () => undefined });
    await vi.advanceTimersByTimeAsync(44_000);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(asked).toHaveLength(2);
    stream.close();
  });

  it("ends at a refusal, and tries on where the server is only ill", async () => {
    const { asked } = answering(503, 401);
    const states: StreamState[] = [];
    const refused: Problem[] = [];
    new EventStream(new Api("", { kind: "cookie" }), "/x", {
      onEvent: () => undefined,
      onState: (state) => states.push(state),
      onRefused: (problem) => refused.push(problem),
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(2);
    expect(refused.map((problem) => problem.status)).toEqual([401]);
    expect(states).toEqual(["connecting", "reconnecting", "ended"]);
  });
});

describe("a refused token", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("is asked for anew once, and the call made again", async () => {
    const used: (string | null)[] = [];
    vi.stubGlobal("fetch", (_url: string, init: RequestInit) => {
      const token = new Headers(init.headers).get("Authorization");
      used.push(token);
      return Promise.resolve(new Response("{}", { status: token === "Bearer new" ? 200 : 401 }));
    });
    const source = { token: (refused?: string) => Promise.resolve(refused === "old" ? "new" : "old") };
    await new Api("", { kind: "bearer", source }).me();
    expect(used).toEqual(["Bearer old", "Bearer new"]);
  });
});
