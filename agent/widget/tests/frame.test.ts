import { afterEach, describe, expect, it, vi } from "vitest";
import { Host, couldBeSameSite } from "../src/frame/host";
import { Handed } from "../src/frame/sign-in";

describe("a page on the same site", () => {
  it.each([
    ["https://intranet.example.org", "https://assistant.example.org", true],
    ["http://localhost:4000", "http://127.0.0.1:4001", false],
    ["http://127.0.0.1:4000", "http://127.0.0.1:4001", true],
    ["http://10.0.0.1", "http://20.0.0.1", false],
    ["http://intranet.example.org", "https://assistant.example.org", false],
    ["https://example.net", "https://assistant.example.org", false],
    ["", "https://assistant.example.org", false],
  ])("%s around %s: %s", (host, own, expected) => {
    expect(couldBeSameSite(host, new URL(own))).toBe(expected);
  });
});

describe("the host page", () => {
  const ORIGIN = "https://intranet.example.org";
  afterEach(() => vi.useRealTimers());

  function world(): { host: Host; asked: unknown[]; hears: (data: unknown, origin?: string, source?: unknown) => void; other: unknown[] } {
    const asked: unknown[] = [];
    const other: unknown[] = [];
    const page = { postMessage: (message: unknown, origin: string) => asked.push([message, origin]) } as unknown as Window;
    const host = new Host(ORIGIN, page, (message) => other.push(message));
    host.listen();
    const hears = (data: unknown, origin = ORIGIN, source: unknown = page): void => {
      const event = new Event("message");
      Object.assign(event, { data, origin, source });
      window.dispatchEvent(event);
    };
    return { host, asked, hears, other };
  }

  it("is asked for a token once, and its answer is kept until it is refused", async () => {
    const { host, asked, hears } = world();
    const two = Promise.all([host.token(), host.token()]);
    hears({ type: "countersign.token", token: "t1" });
    expect(await two).toEqual(["t1", "t1"]);
    expect(await host.token()).toBe("t1");
    expect(asked).toEqual([[{ type: "countersign.ask-token" }, ORIGIN]]);
    const renewed = host.token("t1");
    hears({ type: "countersign.token", token: "t2" });
    expect(await renewed).toBe("t2");
  });

  it("is not heard from another origin or another window", async () => {
    vi.useFakeTimers();
    const { host, hears, other } = world();
    const token = host.token();
    hears({ type: "countersign.token", token: "forged" }, "https://evil.example");
    hears({ type: "countersign.token", token: "forged" }, ORIGIN, {});
    hears({ type: "countersign.opened" }, "https://evil.example");
    hears(null);
    hears("countersign.token");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await token).toBeNull();
    expect(other).toEqual([]);
  });
});

describe("a token that the sign-in window handed over", () => {
  it("is used until shortly before it expires", async () => {
    const expires_at = "2026-01-01T00:15:00Z";
    const at = (time: string): Handed => new Handed({ token: "f", expires_at }, () => Date.parse(time));
    expect(await at("2026-01-01T00:14:00Z").token()).toBe("f");
    expect(await at("2026-01-01T00:14:58Z").token()).toBeNull();
  });
});
