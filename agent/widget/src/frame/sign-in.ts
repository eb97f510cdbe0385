/** Signing in from inside a frame: a window of our own origin does it and hands over a token of 15 minutes, kept in memory alone. */
import type { TokenSource } from "../api";

export interface HandedToken {
  token: string;
  expires_at: string;
}

const WINDOW = "popup,width=520,height=680";
const LOOK_MS = 500;
/** A token that is about to expire is not worth sending. */
const MARGIN_MS = 5_000;

/** Opens the window and waits. Resolves to the token, to `null` when the window was closed without one, or to "blocked". */
export function signIn(endpoint: string): Promise<HandedToken | null | "blocked"> {
  const popup = open(`${endpoint}/sign-in?popup=1&next=${encodeURIComponent("/signed-in")}`, "countersign-sign-in", WINDOW);
  if (!popup) return Promise.resolve("blocked");
  popup.focus();
  return new Promise((resolve) => {
    const done = (result: HandedToken | null): void => {
      removeEventListener("message", hear);
      clearInterval(timer);
      resolve(result);
    };
    const hear = (event: MessageEvent<unknown>): void => {
      if (event.origin !== location.origin || event.source !== popup) return;
      const { type, token, expires_at } = (event.data ?? {}) as Record<string, unknown>;
      if (type !== "countersign.token" || typeof token !== "string" || typeof expires_at !== "string") return;
      done({ token, expires_at });
    };
    addEventListener("message", hear);
    // Its last message may still be under way when the window has closed.
    const timer = setInterval(() => {
      if (!popup.closed) return;
      clearInterval(timer);
      setTimeout(() => done(null), LOOK_MS);
    }, LOOK_MS);
  });
}

/** The token as a source that ends with it: afterwards the person signs in again. */
export class Handed implements TokenSource {
  constructor(
    private readonly handed: HandedToken,
    private readonly now: () => number = Date.now,
  ) {}

  token(): Promise<string | null> {
    const left = Date.parse(this.handed.expires_at) - this.now();
    return Promise.resolve(left > MARGIN_MS ? this.handed.token : null);
  }
}
