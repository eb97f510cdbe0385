/** What a person chose for the look of our own pages; kept in this browser, and only there. */
import { localeOf } from "../text";
import type { Locale, Theme } from "../types";

const THEME = "countersign.theme";
const LOCALE = "countersign.locale";

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden; then nothing is kept
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // the choice still holds for this page
  }
}

export function theme(): Theme {
  const kept = read(THEME);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

export function locale(): Locale {
  return localeOf(read(LOCALE));
}

/** Keep the theme and show the document in it. */
export function setTheme(to: Theme): void {
  write(THEME, to);
  wear(to);
}

export function wear(to: Theme): void {
  document.documentElement.style.setProperty("color-scheme", to === "auto" ? "light dark" : to);
}

/** Keep the language and tell the document, so that a screen reader speaks it. */
export function setLocale(to: Locale): void {
  write(LOCALE, to);
  document.documentElement.lang = to;
}
