/**
 * `<countersign-chat>` for pages that are trusted as our own are. It shows cards and never decides: a script of the page could click
 * inside, so its card only leads to the card's own page.
 */
import { type PropertyValues, css } from "lit";
import { property } from "lit/decorators.js";
import { Api, type TokenSource } from "./api";
import "./widget/brief";
import { tabStore } from "./chat/session";
import { layout } from "./chat/styles";
import { Chat } from "./chat/view";
import { localeOf } from "./text";
import { speak } from "./text/later";
import { outer } from "./theme";

declare global {
  interface Window {
    Countersign?: { getToken?: () => Promise<string | null> | string | null };
  }
}

/** Asks the host page's backend for a token, at its own address and with its own cookies. */
class HostToken implements TokenSource {
  private held: string | null = null;

  constructor(private readonly url: string) {}

  async token(refused?: string): Promise<string | null> {
    if (this.held && this.held !== refused) return this.held;
    const own = window.Countersign?.getToken;
    this.held = own ? await own() : await this.ask();
    return this.held;
  }

  private async ask(): Promise<string | null> {
    try {
      const answer = await fetch(this.url, { credentials: "same-origin", cache: "no-store" });
      const { token } = (await answer.json()) as { token?: unknown };
      return typeof token === "string" ? token : null;
    } catch {
      return null;
    }
  }
}

export class CountersignChat extends Chat {
  static override styles = [
    ...outer,
    layout,
    css`
      :host {
        block-size: var(--countersign-height, 640px);
      }
    `,
  ];

  /** Where the assistant is; without it, where this script came from. */
  @property() endpoint = new URL(import.meta.url).origin;
  /** An address of the host page that answers `{"token": …}`; without it, and without `Countersign.getToken`, our cookie is used. */
  @property({ attribute: "token-url" }) tokenUrl = "";

  constructor() {
    super();
    this.store = tabStore("countersign.thread");
    this.mode = "show";
  }

  /** The page's backend vouches anew, if it still knows the person. */
  protected override enter(): void {
    this.connect();
  }

  static override get observedAttributes(): string[] {
    return [...super.observedAttributes, "lang"];
  }

  override attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (name === "lang") {
      this.locale = localeOf(after, document.documentElement.lang);
      this.api = null;
    } else super.attributeChangedCallback(name, before, after);
  }

  override connectedCallback(): void {
    this.locale = localeOf(this.getAttribute("lang"), document.documentElement.lang);
    super.connectedCallback();
  }

  protected override willUpdate(changes: PropertyValues<this>): void {
    this.mode = "show";
    if (!this.api || changes.has("endpoint") || changes.has("tokenUrl")) this.connect();
    super.willUpdate(changes);
  }

  /** The words have arrived: everything on screen says them. */
  private spoken(): void {
    const { locale } = this;
    this.locale = "en";
    void this.updateComplete.then(() => {
      this.locale = locale;
    });
  }

  private connect(): void {
    const endpoint = this.endpoint.replace(/\/+$/, "");
    void speak(this.locale, endpoint).then(() => this.spoken());
    const vouched = this.tokenUrl !== "" || window.Countersign?.getToken !== undefined;
    this.api = new Api(endpoint, vouched ? { kind: "bearer", source: new HostToken(this.tokenUrl) } : { kind: "cookie" });
  }
}

if (!customElements.get("countersign-chat")) customElements.define("countersign-chat", CountersignChat);
