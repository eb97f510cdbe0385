import { describe, expect, it } from "vitest";
import { leftInWords, milestone, old, secondsUntil, urgency } from "../src/card/clock";
import { changed, collect, fields, wrong } from "../src/card/form";
import { foldable, lineCount } from "../src/card/sections";
import { INCIDENT_STATES, PROPOSAL_STATES, tone } from "../src/card/states";
import { diffLines } from "../src/card/strings";
import { hides, visible, visibleLine } from "../src/card/visible";
import { type CardKey, refusal, words } from "../src/card/words";
import { words as consoleWords } from "../src/console/words";
import { de } from "../src/text/de/card";
import { de as deConsole } from "../src/text/de/console";
import { en } from "../src/text/en/card";
import { en as enConsole } from "../src/text/en/console";
import { aCard } from "./card-fixture";

describe("characters that hide", () => {
  it.each([
    ["\u202e", "U+202E"],
    ["\u2066", "U+2066"],
    ["\u200b", "U+200B"],
    ["\ufeff", "U+FEFF"],
    ["\u001b", "U+001B"],
    ["\u00a0", "U+00A0"],
    ["\u2028", "U+2028"],
    ["\u{e0041}", "U+E0041"],
    ["\ue000", "U+E000"],
    ["\u3164", "U+3164"],
    ["\ufe0f", "U+FE0F"],
    ["\ud800", "U+D800"],
  ])("shows %j as its code", (character, code) => {
    expect(visible(`a${character}b`).map((part) => part.text)).toEqual(["a", code, "b"]);
    expect(hides(`a${character}b`)).toBe(true);
  });

  it("leaves ordinary text of any script alone", () => {
    for (const text of ["permits-api", "Grüße, 你好, مرحبا, שלום", "two\nlines", "emoji 🙂"]) {
      expect(visible(text)).toEqual([{ kind: "text", text }]);
      expect(hides(text)).toBe(false);
    }
  });

  it("loses nothing of what stands between the marks", () => {
    const text = "\u202eone\u200btwo\u202c";
    expect(visible(text).filter((part) => part.kind === "text").map((part) => part.text)).toEqual(["one", "two"]);
  });

  it("marks a line feed and long padding in a value of one line", () => {
    expect(visibleLine(`a\nb${" ".repeat(40)}c`).map((part) => part.text)).toEqual(["a", "U+000A", "b", "40 × U+0020", "c"]);
    expect(visibleLine("a  b")).toEqual([{ kind: "text", text: "a  b" }]);
  });
});

describe("the diff", () => {
  it("keeps a removed line that looks like a file's head", () => {
    const kinds = diffLines("--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- was here\n+new\n same\n").map((one) => one.kind);
    expect(kinds).toEqual(["place", "place", "place", "removed", "added", "same"]);
  });
});

describe("folding", () => {
  it("counts a long line as the lines it takes on the screen", () => {
    expect(lineCount("x".repeat(88 * 30))).toBe(30);
    expect(foldable({ exact: "x".repeat(88 * 30), diff: "" })).toEqual(["exact"]);
    expect(foldable(aCard())).toEqual([]);
  });
});

describe("the clock", () => {
  it("counts whole seconds and never below zero", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    expect(secondsUntil("2026-01-01T00:00:10Z", now)).toBe(10);
    expect(secondsUntil("2026-01-01T00:00:10Z", now + 9_001)).toBe(1);
    expect(secondsUntil("2025-12-31T00:00:00Z", now)).toBe(0);
    expect(secondsUntil("not a time", now)).toBe(0);
  });

  it("speaks at five minutes, one minute, twenty seconds and the end, and is silent in between", () => {
    const said: number[] = [];
    for (let left = 901; left > -2; left -= 1) {
      const passed = milestone(Math.max(0, left), Math.max(0, left - 1));
      if (passed !== null) said.push(passed);
    }
    expect(said).toEqual([300, 60, 20, 0]);
  });

  it("speaks once when a sleeping tab wakes past several marks", () => {
    expect(milestone(900, 10)).toBe(20);
    expect(milestone(900, 0)).toBe(0);
    expect(milestone(0, 0)).toBeNull();
  });

  it("says what is left in words and what happens then", () => {
    const say = words("en");
    const told = (seconds: number): string => {
      const { key, n } = leftInWords(seconds);
      return say(key, { n });
    };
    expect(told(300)).toBe("5 minutes left to decide. After that nothing runs.");
    expect(told(60)).toBe("One minute left to decide. After that nothing runs.");
    expect(told(20)).toBe("20 seconds left to decide. After that nothing runs.");
    expect(told(0)).toBe("The time to decide is over. Nothing was changed.");
    expect([urgency(301), urgency(61), urgency(60)]).toEqual(["calm", "soon", "last"]);
  });

  it("calls an observation old after five minutes, and one without a time as well", () => {
    const now = Date.parse("2026-01-01T00:10:00Z");
    expect(old("2026-01-01T00:06:00Z", now)).toBe(false);
    expect(old("2026-01-01T00:04:00Z", now)).toBe(true);
    expect(old("", now)).toBe(true);
  });
});

describe("the words", () => {
  it("name every state of a proposal in both languages, and say what it means", () => {
    for (const state of PROPOSAL_STATES)
      for (const locale of ["en", "de"] as const) {
        expect(words(locale)(`state.${state}`)).not.toBe("");
        expect(words(locale)(`means.${state}`)).not.toBe("");
      }
  });

  it("name every state of an incident in both languages", () => {
    for (const state of INCIDENT_STATES)
      for (const locale of ["en", "de"] as const) expect(consoleWords(locale)(`incident.${state}`)).not.toBe("");
  });

  it("have the same holes in both languages", () => {
    const holes = (entry: unknown): string[] => [...new Set(JSON.stringify(entry).match(/\{\w+\}/g) ?? [])].sort();
    for (const key of Object.keys(en) as CardKey[]) expect([key, holes(de[key])]).toEqual([key, holes(en[key])]);
    for (const key of Object.keys(enConsole) as (keyof typeof enConsole)[])
      expect([key, holes(deConsole[key])]).toEqual([key, holes(enConsole[key])]);
  });

  it.each(["not_entitled", "four_eyes", "needs_passkey", "not_you", "widget_cannot_decide", "needs_page", "already_decided", "expired", "superseded", "altered", "changed", "stopped", "bad_args", "no_change", "not_permitted", "busy"])(
    "have a sentence for the refusal %s",
    (code) => {
      for (const locale of ["en", "de"] as const) expect(refusal(code, "", words(locale))).not.toBe(words(locale)("error.other"));
    },
  );

  it("add the server's words where ours do not know the refusal", () => {
    expect(refusal("something_new", "the moon is full", words("en"))).toContain("(the moon is full)");
    expect(refusal("stopped", "internal words", words("en"))).not.toContain("internal words");
  });

  it("never call an unknown end good", () => {
    expect(tone("unknown")).toBe("warn");
    expect(tone("a state of the future")).toBe("warn");
    expect(PROPOSAL_STATES.filter((state) => tone(state) === "good")).toEqual(["verified"]);
  });
});

describe("the edit form", () => {
  const schema = {
    type: "object",
    properties: {
      pid: { type: "integer", minimum: 1, maximum: 100, description: "The process." },
      revision: { type: "string", pattern: "[0-9a-f]{7,64}", maxLength: 8 },
      mode: { type: "string", enum: ["soft", "hard"] },
      level: { type: "integer", enum: [1, 2] },
    },
    required: ["pid"],
  };
  const all = fields(schema, { pid: 7, mode: "soft", undeclared: "x" });
  const field = (name: string) => all.find((one) => one.name === name) ?? expect.fail(name);

  it("has the declared fields in their order, filled, and no other", () => {
    expect(all.map((one) => [one.name, one.kind, one.required, one.value])).toEqual([
      ["pid", "whole", true, "7"],
      ["revision", "text", false, ""],
      ["mode", "choice", false, "soft"],
      ["level", "choice", false, ""],
    ]);
  });

  it.each([
    ["pid", "", "missing"],
    ["pid", "seven", "not_whole"],
    ["pid", "1.5", "not_whole"],
    ["pid", "1e2", "not_whole"],
    ["pid", "0", "too_small"],
    ["pid", "101", "too_big"],
    ["revision", "abcdef0", null],
    ["revision", "abcdef01f", "too_long"],
    ["revision", "xabcdef0", "pattern"],
    ["revision", "abcdef\n", "pattern"],
    ["revision", "", null],
    ["mode", "other", "choice"],
  ])("judges %s = %j as %s", (name, text, code) => {
    expect(wrong(field(name), text)?.code ?? null).toBe(code);
  });

  it("keeps types and leaves empty optional fields out", () => {
    expect(collect(all, { pid: "12", level: "2", mode: "" })).toEqual({ pid: 12, level: 2 });
    expect(collect(all, {})).toEqual({ pid: 7, mode: "soft" });
  });

  it("knows an edit that changes nothing", () => {
    expect(changed(all, {})).toBe(false);
    expect(changed(all, { pid: "7" })).toBe(false);
    expect(changed(all, { pid: "8" })).toBe(true);
  });

  it("leaves a pattern that this browser cannot read to the server", () => {
    const [odd] = fields({ properties: { a: { type: "string", pattern: "(?P<x>a)" } } }, {});
    expect(odd && wrong(odd, "anything")).toBeNull();
  });
});
