/**
 * Words in catalogues, one per room of the interface and language.
 *
 * A room's English catalogue fixes its keys; any other language is typed by it, so a missing or superfluous key does not compile.
 * Commands, identifiers and times are never translated.
 */
import type { Locale } from "../types";

/** A sentence with `{name}` placeholders, or its two plural forms chosen by `{n}`. */
export type Entry = string | { readonly one: string; readonly other: string };
export type Room = Readonly<Record<string, Entry>>;
export type Translation<R extends Room> = { readonly [K in keyof R]: Entry };
export type Vars = Readonly<Record<string, string | number>>;
export type Text<R extends Room> = (key: keyof R & string, vars?: Vars) => string;

const LOCALES: readonly Locale[] = ["en", "de"];

/** The language to speak: the first of `wanted` (BCP 47 tags, such as the `lang` attribute) that has a catalogue, else the browser's, else English. */
export function localeOf(...wanted: (string | null | undefined)[]): Locale {
  const asked = [...wanted, ...(typeof navigator === "undefined" ? [] : (navigator.languages ?? []))];
  for (const tag of asked) {
    const base = (tag ?? "").toLowerCase().split("-")[0];
    const found = LOCALES.find((locale) => locale === base);
    if (found) return found;
  }
  return "en";
}

/** Makes a room: `room(en, de)("de")` is the function that says things in German. */
export function room<R extends Room>(en: R, de: Translation<R>): (locale: Locale) => Text<R> {
  const catalogues: Record<Locale, Translation<R>> = { en, de };
  return (locale) => (key, vars) => say(catalogues[locale][key] ?? en[key] ?? key, locale, vars);
}

function say(entry: Entry, locale: Locale, vars: Vars = {}): string {
  const plural = typeof entry === "string" ? entry : new Intl.PluralRules(locale).select(Number(vars["n"])) === "one" ? entry.one : entry.other;
  return plural.replace(/\{(\w+)\}/g, (hole, name: string) => (name in vars ? String(vars[name]) : hole));
}
