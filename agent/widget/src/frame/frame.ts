/**
 * The frame's page: finds out who is there, then shows the chat.
 *
 * A session cookie of our own (same site as the host) is enough for everything. Else the host's backend vouches for the person with a
 * token that can ask and never decide; to decide, the person signs in themselves in a window of ours.
 */
import { LitElement, type PropertyValues, type TemplateResult, css, html, nothing } from "lit";
import { query, state } from "lit/decorators.js";
import { Api, type Credentials, Problem } from "../api";
import "../chat/chat";
import { sign } from "../chat/icons";
import { type ThreadStore, tabStore } from "../chat/session";
import { layout } from "../chat/styles";
import type { Chat } from "../chat/view";
import { words } from "../chat/words";
import { icon } from "../card/icons";
import type { ToFrame } from "../messages";
import { localeOf } from "../text";
import { outer } from "../theme";
import type { Locale, Me } from "../types";
import { Host, couldBeSameSite } from "./host";
import { Handed, signIn } from "./sign-in";

type Gate = "looking" | "open" | "sign_in_first" | "no_access" | "unreachable";

export class Frame extends LitElement {
  static override styles = [
    ...outer,
    layout,
    css`
      :host {
        block-size: 100dvh;
      }
    `,
  ];

  @state() private gate: Gate = "looking";
  @state() private api: Api | null = null;
  @state() private me: Me | null = null;
  @state() private signing: "" | "waiting" | "blocked" = "";
  @state() private ticket = "";
  @query("countersign-chat") private chat!: Chat | null;

  private locale: Locale = "en";
  private host: Host | null = null;
  private readonly tab = tabStore("countersign.thread");
  private kept = "";
  /** Many browsers give a frame on another site no memory; then the host's page keeps the conversation's name for its tab. */
  private readonly store: ThreadStore = {
    read: () => this.tab.read() || this.kept,
    write: (id) => {
      this.tab.write(id);
      this.kept = id;
      this.host?.say({ type: "countersign.thread", id });
    },
  };

  /** What the address says: the host's origin, the language, the theme, and what to talk about. */
  about(given: URLSearchParams): void {
    this.locale = localeOf(given.get("lang"));
    document.documentElement.lang = this.locale;
    const theme = given.get("theme");
    if (theme === "light" || theme === "dark") this.setAttribute("theme", theme);
    this.ticket = given.get("ticket") ?? "";
    this.kept = given.get("thread") ?? "";
    if (parent !== window) {
      this.host = new Host(given.get("host") ?? "", parent, (message) => this.heard(message));
      this.host.listen();
    }
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("keydown", this.onKey);
    this.host?.say({ type: "countersign.ready" });
    void this.look();
  }

  override disconnectedCallback(): void {
    removeEventListener("keydown", this.onKey);
    super.disconnectedCallback();
  }

  /** Opened by a click on the launcher: the next thing a person does is write. */
  protected override updated(changes: PropertyValues): void {
    if (changes.has("gate") && this.gate === "open" && this.host) void this.chat?.updateComplete.then(() => this.chat?.focus());
  }

  /** Our own session first, then the host's token. */
  private async look(): Promise<void> {
    this.gate = "looking";
    const { host } = this;
    const nobody = new Problem(401, "signed_out", "", "");
    let last: Problem | null = nobody;
    if (!host || couldBeSameSite(host.origin, location)) last = await this.tryOut(new Api("", { kind: "cookie" }));
    if (last?.signedOut && host && (await host.token())) last = await this.tryOut(new Api("", { kind: "bearer", source: host }));
    if (!last) return;
    this.gate = last.offline || last.status >= 500 ? "unreachable" : last.signedOut ? "sign_in_first" : "no_access";
  }

  /** Opens the chat with this access, or says why not. */
  private async tryOut(api: Api): Promise<Problem | null> {
    try {
      this.me = await api.me();
      this.api = api;
      this.gate = "open";
      return null;
    } catch (error) {
      return error instanceof Problem ? error : new Problem(0, "unreadable", String(error), "");
    }
  }

  /** A person signs in: for deciding, and for asking where the host vouches for nobody. */
  private readonly signIn = async (): Promise<void> => {
    this.signing = "waiting";
    const handed = await signIn("");
    this.signing = handed === "blocked" ? "blocked" : "";
    if (handed === null || handed === "blocked") return;
    const own: Credentials = { kind: "bearer", source: new Handed(handed) };
    const mine = new Api("", own);
    const vouched = this.me?.via === "widget" && this.host !== null;
    if (!vouched) {
      await this.tryOut(mine);
      return;
    }
    // The conversation stays the one that the host's token began; the card is decided as the person who signed in.
    try {
      const me = await mine.me();
      this.api = this.api?.withDeciding(own) ?? mine;
      this.me = this.me && { ...this.me, person: me.person, name: me.name };
    } catch {
      this.signing = "blocked";
    }
  };

  private heard(message: ToFrame): void {
    if (message.type === "countersign.opened") this.chat?.focus();
    if (message.type === "countersign.about" && typeof message.ticket === "string") this.ticket = message.ticket;
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && !event.defaultPrevented) this.host?.say({ type: "countersign.close" });
  };

  protected override render(): TemplateResult {
    const say = words(this.locale);
    return html`<div
      class="root chat"
      @countersign-sign-in=${(): void => void this.signIn()}
      @countersign-close=${(): void => this.host?.say({ type: "countersign.close" })}
      @countersign-waiting=${(event: CustomEvent<number>): void => this.host?.say({ type: "countersign.waiting", n: event.detail })}
    >
      <h1 class="sr">${say("chat")}</h1>
      ${this.gate === "open"
        ? html`<countersign-chat
            .api=${this.api}
            .store=${this.store}
            .locale=${this.locale}
            mode="decide"
            .ticket=${this.ticket}
            .person=${this.me?.person ?? ""}
            .closable=${this.host !== null}
            .signing=${this.signing}
          ></countersign-chat>`
        : this.closed()}
      <span class="sr">${this.me ? say("signed_in_as", { name: this.me.name }) : nothing}</span>
    </div>`;
  }

  private closed(): TemplateResult {
    const say = words(this.locale);
    const { gate } = this;
    const bar = html`<header>
      <div class="brand">${sign("mark")}<h2>${say("name")}</h2></div>
      ${this.host
        ? html`<button
            type="button"
            class="button quiet icon"
            aria-label=${say("close")}
            @click=${(): void => this.host?.say({ type: "countersign.close" })}
          >
            ${icon("close")}
          </button>`
        : nothing}
    </header>`;
    if (gate === "looking") return html`${bar}<div class="gate"><span class="spinner" role="img" aria-label=${say("loading")}></span></div>`;
    const again = html`<button type="button" class="button" @click=${(): void => void this.look()}>${say("again")}</button>`;
    const enter = html`<button type="button" class="button primary" @click=${(): void => void this.signIn()}>${say("sign_in")}</button>`;
    const hint = { sign_in_first: say("sign_in_hint"), no_access: say("no_access_hint"), unreachable: "", open: "" }[gate];
    const note = this.signing === "blocked" ? say("sign_in_blocked") : this.signing === "waiting" ? say("sign_in_waiting") : hint;
    return html`${bar}
      <div class="gate">
        <span class="brand-mark">${sign("mark")}</span>
        <h3>${gate === "open" ? nothing : say(gate)}</h3>
        <p class="muted" role="status">${note}</p>
        ${gate === "sign_in_first" ? enter : again}
      </div>`;
  }
}

customElements.define("countersign-frame", Frame);
