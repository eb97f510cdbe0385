/** How time left and age are told: sparsely to a listener, and marked when what was seen may no longer be so. */

/** Seconds left at which a listener is told; in between the clock is silent. */
const MILESTONES = [20, 60, 300] as const;

/** An observation older than this many seconds may no longer be true. */
const OLD_SECONDS = 300;

/** Whole seconds from `now` (server time in milliseconds) until `moment`; 0 when it is past or unreadable. */
export function secondsUntil(moment: string, now: number): number {
  const until = Date.parse(moment);
  return Number.isNaN(until) ? 0 : Math.max(0, Math.ceil((until - now) / 1000));
}

/** The milestone that was passed between two looks at the clock, 0 for the end, null for none. */
export function milestone(before: number, after: number): number | null {
  if (after <= 0) return before > 0 ? 0 : null;
  return MILESTONES.find((mark) => before > mark && after <= mark) ?? null;
}

/** How pressing the time left is; the page shows it by more than colour. */
export function urgency(seconds: number): "calm" | "soon" | "last" {
  return seconds > 300 ? "calm" : seconds > 60 ? "soon" : "last";
}

/** The sentence on time left: which entry of the catalogue, and its number. */
export function leftInWords(seconds: number): { key: "minutes_left" | "seconds_left" | "time_over"; n: number } {
  if (seconds <= 0) return { key: "time_over", n: 0 };
  return seconds >= 60
    ? { key: "minutes_left", n: Math.round(seconds / 60) }
    : { key: "seconds_left", n: seconds };
}

/** Whether what was seen at `at` is so old at `now` (server time in milliseconds) that it may have changed. */
export function old(at: string, now: number): boolean {
  const then = Date.parse(at);
  return Number.isNaN(then) || now - then > OLD_SECONDS * 1000;
}
