import { describe, expect, it } from "vitest";
import { palette } from "../src/theme";

type Name = keyof typeof palette;

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const GROUNDS: Name[] = ["background", "surface", "raised", "hover", "code"];
const PAIRS: [Name, Name, number][] = [
  ...GROUNDS.flatMap((ground): [Name, Name, number][] => [
    ["text", ground, 4.5],
    ["muted", ground, 4.5],
    ["accent", ground, 4.5],
    ["danger", ground, 4.5],
    ["warn", ground, 4.5],
    ["ok", ground, 4.5],
  ]),
  ["border-strong", "background", 3],
  ["border-strong", "surface", 3],
  ["border-strong", "raised", 3],
  ["accent", "accent-soft", 4.5],
  ["text", "accent-soft", 4.5],
  ["ok", "ok-soft", 4.5],
  ["warn", "warn-soft", 4.5],
  ["text", "warn-soft", 4.5],
  ["muted", "warn-soft", 4.5],
  ["danger", "danger-soft", 4.5],
  ["text", "danger-soft", 4.5],
  ["muted", "danger-soft", 4.5],
  ["text", "mark", 4.5],
  ["on-fill", "fill", 4.5],
  ["on-fill", "fill-hover", 4.5],
  ["on-fill", "danger-fill", 4.5],
];

describe("the colours", () => {
  it.each(["light", "dark"] as const)("can be read in the %s theme", (theme) => {
    const at = theme === "light" ? 0 : 1;
    const short = PAIRS.filter(([front, back, least]) => contrast(palette[front][at], palette[back][at]) < least).map(
      ([front, back]) => `${front} on ${back}: ${contrast(palette[front][at], palette[back][at]).toFixed(2)}`,
    );
    expect(short).toEqual([]);
  });
});
