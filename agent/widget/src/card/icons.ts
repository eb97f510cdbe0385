/** Drawn signs of 16 by 16: each tone and each risk has a shape of its own, so that colour never stands alone. */
import { type TemplateResult, svg } from "lit";
import type { Risk } from "../types";
import type { Tone } from "./states";

const PATHS = {
  wait: "M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M8 4.5V8l2.5 1.75",
  run: "M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M6.75 5.5v5L10.75 8z",
  good: "M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M5.25 8.25l2 2 3.75-4.25",
  bad: "M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M5.75 5.75l4.5 4.5M10.25 5.75l-4.5 4.5",
  warn: "M8 2 1.75 13.25h12.5zM8 6.25v3.25M8 11.4v.1",
  quiet: "M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M5.25 8h5.5",
  shield: "M8 1.75 13.25 3.5v4.25c0 3-2.2 5.4-5.25 6.5-3.05-1.1-5.25-3.5-5.25-6.5V3.5zM5.5 8l1.75 1.75L10.5 6.25",
  octagon: "M5.4 1.75h5.2l3.65 3.65v5.2l-3.65 3.65H5.4L1.75 10.6V5.4zM8 4.75v4M8 11.15v.1",
  eye: "M1.5 8S4 3.75 8 3.75 14.5 8 14.5 8 12 12.25 8 12.25 1.5 8 1.5 8M8 6.25a1.75 1.75 0 1 0 0 3.5 1.75 1.75 0 0 0 0-3.5",
  copy: "M5.75 5.75h7.5v7.5h-7.5zM10.25 5.5V2.75h-7.5v7.5H5.5",
  check: "M3 8.5 6.25 11.75 13 4.5",
  open: "M9.5 2.5h4v4M13.25 2.75 7.5 8.5M11.5 9v4h-8.75V4.25H7",
  arrow: "M2.5 8h10.5M9.25 4.25 13 8l-3.75 3.75",
  undo: "M5.5 3 2.5 6l3 3M2.75 6h6.5a3.75 3.75 0 0 1 0 7.5H6",
  search: "M7 2.25a4.75 4.75 0 1 0 0 9.5 4.75 4.75 0 0 0 0-9.5M10.5 10.5l3.25 3.25",
  chat: "M2.25 3h11.5v8H7.5l-3 2.75V11H2.25z",
  stop: "M5.4 1.75h5.2l3.65 3.65v5.2l-3.65 3.65H5.4L1.75 10.6V5.4zM6 6h4v4H6z",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.1M2.5 8h.1M2.5 12h.1",
  book: "M8 4C6.5 2.75 4.5 2.5 2 2.5v10c2.5 0 4.5.25 6 1.5 1.5-1.25 3.5-1.5 6-1.5v-10c-2.5 0-4.5.25-6 1.5M8 4v10",
  flask: "M6 1.75h4M6.75 2v4.25L2.9 12.6a.9.9 0 0 0 .8 1.4h8.6a.9.9 0 0 0 .8-1.4L9.25 6.25V2M4.75 10h6.5",
  person: "M8 2.25a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 0 0 0-5.2M2.75 14c.4-2.75 2.5-4.25 5.25-4.25s4.85 1.5 5.25 4.25",
  back: "M9.75 3 4.75 8l5 5",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  down: "M3.75 6 8 10.25 12.25 6",
  file: "M3.5 1.75h6l3 3v9.5h-9zM9.25 2v3h3M5.75 8h4.5M5.75 10.75h4.5",
  pulse: "M1.5 8.5h3l1.75-5 3.25 9.5 1.75-4.5h3.25",
  note: "M2.75 2.75h10.5v7.5l-3 3h-7.5zM10 13v-3h3M5.25 5.75h5.5M5.25 8.25h3",
  spark: "M8 1.75 9.5 6.5l4.75 1.5L9.5 9.5 8 14.25 6.5 9.5 1.75 8 6.5 6.5z",
} as const;

export type IconName = keyof typeof PATHS;

/** A sign for the eye alone; the words beside it say the same. */
export function icon(name: IconName): TemplateResult {
  return svg`<svg class="icon-16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]}></path></svg>`;
}

/** The sign of a state's tone. */
export function toneIcon(tone: Tone): TemplateResult {
  return icon(tone);
}

const RISKS: Record<Risk, IconName> = { read_only: "eye", low: "shield", medium: "warn", high: "octagon" };

/** The sign of a risk level. */
export function riskIcon(level: Risk): TemplateResult {
  return icon(RISKS[level]);
}
