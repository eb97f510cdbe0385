import { describe, expect, it } from "vitest";
import { age, clockTime, countdown, localTime, offsetOf, took } from "../src/time";

const NOW = Date.parse("2026-11-21T03:00:00Z");

describe("times", () => {
  it("are told as ages by the clock they are given", () => {
    expect(age("2026-11-21T02:59:20Z", NOW, "en")).toBe("40 seconds ago");
    expect(age("2026-11-21T03:02:59Z", NOW, "en")).toBe("in 2 minutes");
    expect(age("2026-11-18T03:00:00Z", NOW, "de")).toBe("vor 3 Tagen");
    expect(age("not a time", NOW, "en")).toBe("not a time");
  });

  it("name their zone", () => {
    expect(localTime("2026-11-21T03:00:00Z", "en", "Europe/Berlin")).toMatch(/21 Nov 2026.*04:00:00 (CET|GMT\+1)/);
    expect(localTime("2026-07-21T03:00:00Z", "de", "Europe/Berlin")).toMatch(/05:00:00 MESZ/);
    expect(clockTime("2026-11-21T03:00:00Z", "en", "UTC")).toBe("03:00");
  });

  it("count down to nothing and not below", () => {
    expect(countdown("2026-11-21T03:14:59Z", NOW)).toBe("14:59");
    expect(countdown("2026-11-21T05:00:05Z", NOW)).toBe("2:00:05");
    expect(countdown("2026-11-21T02:00:00Z", NOW)).toBe("0:00");
  });

  it("follow the server's clock where this machine's is wrong", () => {
    expect(offsetOf("2026-11-21T03:05:00Z", NOW)).toBe(300_000);
    expect(offsetOf("", NOW)).toBe(0);
  });

  it("say how long something took", () => {
    expect([84, 1240, 150_000].map((ms) => took(ms, "en"))).toEqual(["84 ms", "1.2 s", "2.5 min"]);
    expect(took(1240, "de")).toBe("1,2 s");
  });
});
