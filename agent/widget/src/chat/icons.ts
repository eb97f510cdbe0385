/** The chat's own signs, drawn as those of the card are. */
import { type TemplateResult, svg } from "lit";

const PATHS = {
  mark: "M2.25 11.5c2-5 3.6-7.5 4.6-7.1 1.3.5-1.7 6.6-.5 7 1 .4 2-3 3-2.8.7.2-.1 2 .6 2.2.8.2 1.7-.8 3.8-1.6M2.25 14h11.5",
  plus: "M8 3v10M3 8h10",
  past: "M2.6 8a5.5 5.5 0 1 1 1.5 3.8M2.25 4.75 2.6 8l3.1-.6M8 5v3.25l2.25 1.25",
  send: "M8 13.25V3M3.75 7.25 8 3l4.25 4.25",
  halt: "M4.5 4.5h7v7h-7z",
  up: "M5 7.25v6H2.75v-6zM5 7.5l2.5-5.25c1 0 1.75.75 1.75 1.75v2.5h3a1.25 1.25 0 0 1 1.2 1.5l-.9 4.1a1.5 1.5 0 0 1-1.45 1.15H5",
  worse: "M5 8.75v-6H2.75v6zM5 8.5l2.5 5.25c1 0 1.75-.75 1.75-1.75V9.5h3a1.25 1.25 0 0 0 1.2-1.5l-.9-4.1a1.5 1.5 0 0 0-1.45-1.15H5",
} as const;

export function sign(name: keyof typeof PATHS): TemplateResult {
  return svg`<svg class="icon-16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]}></path></svg>`;
}
