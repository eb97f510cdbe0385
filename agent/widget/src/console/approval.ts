/** The page of one card: /approvals/{digest}. Everything is open, and a high risk is decided here and nowhere else. */
import { LitElement, type PropertyValues, type TemplateResult, css, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { type Api, Problem } from "../api";
import type { CardDecide } from "../card/card";
import "../card/card";
import { announce, voice } from "../card/announce";
import { icon } from "../card/icons";
import { moves } from "../card/states";
import { words as cardWords } from "../card/words";
import { EventStream, type StreamState } from "../sse";
import { outer } from "../theme";
import type { Card, ConsoleEvent, Locale, Me, Theme } from "../types";
import { bar, barStyles } from "./bar";
import { locale as keptLocale, setLocale, setTheme, theme as keptTheme, wear } from "./preferences";
import { skeleton, trouble, troubleStyles } from "./trouble";
import { type ConsoleWords, words } from "./words";

/** So often the card is asked for while the stream of events is not there. */
const POLL_MS = 5_000;

export class CountersignApproval extends LitElement {
  static override styles = [
    ...outer,
    barStyles,
    troubleStyles,
    css`
      .root {
        min-block-size: 100vh;
        background: var(--_background);
      }
      .content {
        max-inline-size: 1180px;
        margin-inline: auto;
        padding: 20px 20px 48px;
      }
      .content:focus {
        outline: none;
      }
      countersign-card {
        --countersign-rail-top: 68px;
      }
      .line {
        display: flex;
        align-items: center;
        gap: 8px;
        margin-block-end: 12px;
      }
      .line .icon-16 {
        color: var(--_warn);
      }
      .talk {
        display: block;
        block-size: min(70vh, 640px);
        box-sizing: border-box;
        margin-block-start: 20px;
      }
      @media (max-width: 640px) {
        .content {
          padding: 12px 12px 32px;
        }
      }
    `,
  ];

  @property({ attribute: false }) api!: Api;
  @property() digest = "";
  @property({ reflect: true }) theme: Theme = keptTheme();

  @state() private locale: Locale = keptLocale();
  @state() private me: Me | null = null;
  @state() private card: Card | null = null;
  @state() private problem: unknown = null;
  @state() private stream: StreamState = "connecting";
  @state() private signedOut = false;
  @state() private thread = "";

  private say: ConsoleWords = words("en");
  private events: EventStream | null = null;
  private poll: ReturnType<typeof setInterval> | undefined;
  private asking = false;
  private again = false;

  override connectedCallback(): void {
    super.connectedCallback();
    voice();
    wear(this.theme);
    setLocale(this.locale);
    addEventListener("popstate", this.onHistory);
    this.events = new EventStream(this.api, "/api/events", {
      onEvent: (event) => this.heard(event as ConsoleEvent),
      onState: (to) => this.streamIs(to),
    });
    this.poll = setInterval(() => {
      if (this.stream !== "open" && this.card && moves(this.card.state)) void this.load();
    }, POLL_MS);
    void this.load();
  }

  override disconnectedCallback(): void {
    removeEventListener("popstate", this.onHistory);
    this.events?.close();
    clearInterval(this.poll);
    super.disconnectedCallback();
  }

  protected override willUpdate(changes: PropertyValues): void {
    if (changes.has("locale")) this.say = words(this.locale);
    document.title = this.titled();
  }

  private titled(): string {
    const { card } = this;
    if (!card) return `${this.say("approval_title")} · Countersign`;
    return `${cardWords(this.locale)(`state.${card.state}`)} · ${card.headline} · Countersign`;
  }

  private readonly onHistory = (): void => {
    this.open(digestOf(location.pathname));
  };

  private open(digest: string): void {
    if (digest === "" || digest === this.digest) return;
    this.digest = digest;
    this.card = null;
    void this.load(true);
  }

  private heard(event: ConsoleEvent): void {
    if (event.type === "stop") void this.load();
    if (event.type === "proposal" && (event.digest === this.card?.digest || event.incident === this.card?.incident)) void this.load();
  }

  private streamIs(to: StreamState): void {
    const back = to === "open" && this.stream !== "open" && this.stream !== "connecting";
    this.stream = to;
    if (back) void this.load(); // what happened in between
  }

  /** Ask for the card; while one question is under way the next one waits for it. */
  private async load(focus = false): Promise<void> {
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    const asked = this.digest;
    try {
      if (!this.me) this.me = await this.api.me();
      const card = await this.api.proposal(asked);
      if (asked === this.digest) {
        this.card = card;
        this.problem = null;
        if (card.digest !== this.digest) this.digest = card.digest; // it was called by its beginning
        if (focus) await this.focusCard();
      }
    } catch (error) {
      if (error instanceof Problem && error.signedOut) this.signIn();
      else if (!this.card || (error instanceof Problem && error.status === 404)) this.problem = error;
    } finally {
      this.asking = false;
    }
    if (this.again) {
      this.again = false;
      await this.load();
    }
  }

  private async focusCard(): Promise<void> {
    await this.updateComplete;
    await this.renderRoot.querySelector<CardDecide>("countersign-card")?.focusHeading();
  }

  private signIn(): void {
    if (this.signedOut) return;
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  }

  private async signOut(): Promise<void> {
    this.signedOut = true;
    this.events?.close();
    clearInterval(this.poll);
    try {
      await this.api.signOut();
    } catch {
      // the session may have ended already
    }
    this.me = null;
    this.card = null;
    announce(this.say("signed_out"));
  }

  private readonly onCard = (event: CustomEvent<{ card: Card }>): void => {
    const { card } = event.detail;
    this.card = card;
    if (card.digest !== this.digest) {
      this.digest = card.digest;
      history.pushState(null, "", `/approvals/${card.digest}`);
    }
  };

  private readonly onOpenCard = (event: CustomEvent<{ digest: string }>): void => {
    event.preventDefault();
    history.pushState(null, "", `/approvals/${event.detail.digest}`);
    this.open(event.detail.digest);
  };

  private readonly onAsked = (event: CustomEvent<{ threadId: string }>): void => {
    this.thread = event.detail.threadId;
    void import("../chat/chat")
      .then(() => this.updateComplete)
      .then(() => this.renderRoot.querySelector(".talk")?.scrollIntoView({ block: "nearest" }));
  };

  protected override render(): TemplateResult {
    const { say } = this;
    return html`<div class="root">
      <a class="skip" href="#content" @click=${this.skip}>${say("skip")}</a>
      ${bar(
        {
          say,
          me: this.me,
          theme: this.theme,
          locale: this.locale,
          home: "/",
          setTheme: (to) => {
            this.theme = to;
            setTheme(to);
          },
          setLocale: (to) => {
            this.locale = to;
            setLocale(to);
          },
          signOut: () => void this.signOut(),
        },
        this.card
          ? html`<a class="button quiet" href=${`/#/incidents/${encodeURIComponent(this.card.incident)}`}>${icon("list")} ${this.card.incident}</a>`
          : nothing,
      )}
      <div id="content" class="content" tabindex="-1">
        ${this.stream === "offline" || (this.stream === "reconnecting" && !this.signedOut)
          ? html`<p class="note warn line" role="status">${icon("warn")} ${say(this.stream === "offline" ? "offline" : "reconnecting")}</p>`
          : nothing}
        ${this.content()}
      </div>
    </div>`;
  }

  private content(): TemplateResult {
    const { say, card } = this;
    if (this.signedOut)
      return html`<div class="empty">
        ${icon("person")}
        <h1>${say("signed_out")}</h1>
        <p class="muted">${say("signed_out_more")}</p>
        <a class="button primary" href=${`/sign-in?next=${encodeURIComponent(location.pathname)}`}>${say("sign_in")}</a>
      </div>`;
    if (this.problem instanceof Problem && this.problem.status === 404)
      return html`<div class="empty">
        ${icon("search")}
        <h1>${say("unknown_card")}</h1>
        <p class="muted">${say("unknown_card_more")}</p>
        <a class="button" href="/#/waiting">${say("to_console")}</a>
      </div>`;
    if (!card)
      return html`<h1 class="sr">${say("approval_title")}</h1>
        ${this.problem ? trouble(this.problem, say, () => void this.load()) : skeleton(8, say)}`;
    return html`<countersign-card
        page
        mode="decide"
        .level=${1}
        .card=${card}
        .api=${this.api}
        .locale=${this.locale}
        signed-in
        .person=${this.me?.person ?? ""}
        .thread=${this.thread}
        .offline=${this.stream === "offline"}
        @countersign-card=${this.onCard}
        @countersign-open-card=${this.onOpenCard}
        @countersign-asked=${this.onAsked}
        @countersign-sign-in=${() => this.signIn()}
      ></countersign-card>
      ${this.thread
        ? html`<countersign-chat class="talk" inline .api=${this.api} .thread=${this.thread} .locale=${this.locale} .person=${this.me?.person ?? ""} aria-label=${say("conversation")}></countersign-chat>`
        : nothing}`;
  }

  private readonly skip = (event: Event): void => {
    event.preventDefault();
    this.renderRoot.querySelector<HTMLElement>("#content")?.focus();
  };
}

/** The digest, or its beginning, from a path such as /approvals/sha256:0123…; empty when there is none. */
export function digestOf(path: string): string {
  const found = /^\/approvals\/([^/]+)\/?$/.exec(path);
  try {
    return found?.[1] ? decodeURIComponent(found[1]) : "";
  } catch {
    return "";
  }
}

customElements.define("countersign-approval", CountersignApproval);
