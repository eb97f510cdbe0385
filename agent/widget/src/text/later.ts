/**
 * Catalogues that arrive after the script: `widget.js` speaks English until it has fetched another language's words.
 *
 * The build puts `later("chat")` where the source imports a translated catalogue; only words travel this way, never code.
 */
import type { Locale } from "../types";
import type { Entry } from ".";

type Catalogue = Record<string, Entry>;

const rooms: Record<string, Catalogue> = {};
const loaded: Partial<Record<Locale, Promise<boolean>>> = {};

/** The catalogue of a room, empty until it has arrived. */
export function later(name: string): Catalogue {
  return (rooms[name] ??= {});
}

/** Fetches a language once; whether its words are there. A failure only means English. */
export function speak(locale: Locale, endpoint: string): Promise<boolean> {
  if (locale === "en") return Promise.resolve(true);
  return (loaded[locale] ??= fetch(`${endpoint}/assets/widget.${locale}.json`, { credentials: "omit" })
    .then(async (answer) => {
      if (!answer.ok) return false;
      for (const [name, words] of Object.entries((await answer.json()) as Record<string, Catalogue>)) Object.assign(later(name), words);
      return true;
    })
    .catch(() => false));
}
