/** The host page as the frame sees it: one window, one origin, everything else is not heard. */
import type { TokenSource } from "../api";
import type { ToFrame, ToHost } from "../messages";

/** How long a host has to answer with a token before it counts as having none, in milliseconds. */
const PATIENCE_MS = 8_000;

/**
 * Whether our cookie could be sent in a frame on that page (SameSite=Lax: same site only). The public suffix list is not at hand, so two
 * equal last labels count as possible; a wrong yes costs one refused call, and a no is certain.
 */
export function couldBeSameSite(host: string, own: Location | URL): boolean {
  let page: URL;
  try {
    page = new URL(host);
  } catch {
    return false;
  }
  const site = (name: string): string => (/^[\d.]+$|:/.test(name) ? name : name.split(".").slice(-2).join("."));
  return page.protocol === own.protocol && site(page.hostname) === site(own.hostname);
}

export class Host implements TokenSource {
  private held: string | null = null;
  private asking: Promise<string | null> | null = null;
  private answer: ((token: string | null) => void) | null = null;

  /** `origin` is what the host said of itself; a wrong one only means that no message passes in either direction. */
  constructor(
    readonly origin: string,
    private readonly window: Window,
    private readonly onMessage: (message: ToFrame) => void,
  ) {}

  listen(): void {
    addEventListener("message", (event: MessageEvent<unknown>) => {
      if (event.source !== this.window || event.origin !== this.origin) return;
      const message = event.data as ToFrame | null;
      if (typeof message !== "object" || message === null) return;
      if (message.type === "countersign.token") this.take(message.token);
      else this.onMessage(message);
    });
  }

  say(message: ToHost): void {
    if (this.origin) this.window.postMessage(message, this.origin);
  }

  /** The host's token for asking; a refused one is asked for anew. */
  token(refused?: string): Promise<string | null> {
    if (this.held && this.held !== refused) return Promise.resolve(this.held);
    if (!this.origin) return Promise.resolve(null);
    this.held = null;
    this.asking ??= new Promise<string | null>((resolve) => {
      const timer = setTimeout(() => this.take(null), PATIENCE_MS);
      this.answer = (token) => {
        clearTimeout(timer);
        resolve(token);
      };
      this.say({ type: "countersign.ask-token" });
    }).finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  private take(token: unknown): void {
    this.held = typeof token === "string" && token !== "" ? token : null;
    this.answer?.(this.held);
    this.answer = null;
  }
}
