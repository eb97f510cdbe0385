/** Times as people read them: ages and countdowns by the server's clock, local times with their zone. */
import type { Locale } from "./types";

/** How far the server's clock is ahead of this machine's, in milliseconds, from a server time seen just now. */
export function offsetOf(serverNow: string, localNow: number = Date.now()): number {
  const server = Date.parse(serverNow);
  return Number.isNaN(server) ? 0 : server - localNow;
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];

/** "40 seconds ago", "in 3 minutes"; `now` is the server's time in milliseconds. An unreadable time is returned as it is. */
export function age(iso: string, now: number, locale: Locale, style: "long" | "narrow" = "long"): string {
  const then = Date.parse(iso);
  if (Number.isNaN(then)) return iso;
  const away = then - now;
  const [unit, size] = UNITS.find(([, ms]) => Math.abs(away) >= ms) ?? (["second", 1_000] as const);
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto", style }).format(Math.trunc(away / size), unit);
}

/** "21 Nov 2026, 03:14:07 CET": a local time that names its zone. */
export function localTime(iso: string, locale: Locale, timeZone?: string): string {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return iso;
  return new Intl.DateTimeFormat(locale === "en" ? "en-GB" : "de-DE", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
    ...(timeZone ? { timeZone } : {}),
  }).format(then);
}

/** "03:14": a local time of day, for dense lists where the whole time is in the title. */
export function clockTime(iso: string, locale: Locale, timeZone?: string): string {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return iso;
  return new Intl.DateTimeFormat(locale === "en" ? "en-GB" : "de-DE", {
    hour: "2-digit",
    minute: "2-digit",
    ...(timeZone ? { timeZone } : {}),
  }).format(then);
}

/** "14:59": what is left until `iso`, never below "0:00"; hours are added when needed. */
export function countdown(iso: string, now: number): string {
  const left = Math.max(0, Math.floor((Date.parse(iso) - now) / 1000));
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  const seconds = String(left % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** "84 ms", "1.2 s", "3 min": how long something took. */
export function took(ms: number, locale: Locale): string {
  const number = (value: number, digits: number): string =>
    new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
  if (ms < 1000) return `${number(ms, 0)} ms`;
  if (ms < 60_000) return `${number(ms / 1000, 1)} s`;
  return `${number(ms / 60_000, 1)} min`;
}
