import { describe, expect, it } from "vitest";
import { type Entry, localeOf, room } from "../src/text";

const EN = import.meta.glob<{ en: Record<string, Entry> }>("../src/text/en/*.ts", { eager: true });
const DE = import.meta.glob<{ de: Record<string, Entry> }>("../src/text/de/*.ts", { eager: true });

const holes = (entry: Entry): string[] => {
  const texts = typeof entry === "string" ? [entry] : [entry.one, entry.other];
  return [...new Set(texts.flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((hit) => hit[1] ?? "")))].sort();
};

describe("the catalogues", () => {
  const rooms = Object.keys(EN).map((path) => path.replace(/.*\/(\w+)\.ts$/, "$1"));

  it("are there for each room in each language", () => {
    expect(rooms.length).toBeGreaterThan(2);
    expect(Object.keys(DE).map((path) => path.replace("/de/", "/en/"))).toEqual(Object.keys(EN));
  });

  it.each(rooms)("say the same things in %s, with the same places for values", (name) => {
    const en = EN[`../src/text/en/${name}.ts`]?.en ?? {};
    const de = DE[`../src/text/de/${name}.ts`]?.de ?? {};
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
    for (const [key, entry] of Object.entries(en)) {
      const other = de[key] ?? "";
      expect(holes(other), key).toEqual(holes(entry));
      for (const text of typeof other === "string" ? [other] : [other.one, other.other]) expect(text.trim(), key).not.toBe("");
    }
  });
});

describe("saying something", () => {
  const words = room(
    { a: "Hello {name}", n: { one: "{n} check", other: "{n} checks" } },
    { a: "Hallo {name}", n: { one: "{n} Prüfung", other: "{n} Prüfungen" } },
  );

  it("fills in values and chooses the plural", () => {
    expect(words("de")("a", { name: "Sam" })).toBe("Hallo Sam");
    expect([0, 1, 2].map((n) => words("en")("n", { n }))).toEqual(["0 checks", "1 check", "2 checks"]);
  });

  it("puts a value in as it is, whatever it looks like", () => {
    expect(words("en")("a", { name: "{name} $& $1" })).toBe("Hello {name} $& $1");
  });

  it("takes the first language that has a catalogue", () => {
    expect(localeOf("de-AT")).toBe("de");
    expect(localeOf("fr", "de")).toBe("de");
    expect(localeOf("", null, undefined, "en-GB")).toBe("en");
  });
});
