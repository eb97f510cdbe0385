/**
 * The conversation on screen. It needs an `api`; who may talk and how they sign in is the business of the page around it, which hears
 * `countersign-sign-in` (a person wants to), `countersign-close` and `countersign-waiting` (how many cards wait).
 */
import { LitElement, type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { type Api, Problem } from "../api";
import { announce, voice } from "../card/announce";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import { type Check, EMPTY, type Item, type ItemOf, type Outgoing, type Turn, cards, evidence, running, sourcesOf, turns, waitingCards } from "../conversation";
import { shown } from "../markdown";
import { base } from "../theme";
import { age } from "../time";
import type { Card, Locale, Source } from "../types";
import "./answer";
import type { CiteDetail } from "./answer";
import type { Composer } from "./composer";
import "./composer";
import "./history";
import { sign } from "./icons";
import type { Peek } from "./peek";
import "./peek";
import { Follower } from "./scroll";
import { Session, type ThreadStore } from "./session";
import { layout } from "./styles";
import "./tail";
import { type ChatWords, words } from "./words";
import "./work";

/** A short break in the connection is nobody's business. */
const RECONNECTING_AFTER_MS = 1500;
const ANNOUNCED_CHARACTERS = 400;

const FORGETFUL: () => ThreadStore = () => {
  let id = "";
  return {
    read: () => id,
    write: (to) => {
      id = to;
    },
  };
};

export class Chat extends LitElement {
  static override styles = [...base, layout];

  @property({ attribute: false }) api: Api | null = null;
  @property({ attribute: false }) store: ThreadStore = FORGETFUL();
  @property() locale: Locale = "en";
  @property() mode: "decide" | "show" = "show";
  /** A conversation to show, instead of the one the store knows. */
  @property() thread = "";
  /** A ticket that a new conversation is about. */
  @property() ticket = "";
  @property() incident = "";
  /** The person who looks, for their cards. */
  @property() person = "";
  /** A part of a page that has a frame of its own: no header. */
  @property({ type: Boolean, reflect: true }) inline = false;
  @property({ type: Boolean }) closable = false;
  /** A sign-in is under way, or its window was blocked. */
  @property() signing: "" | "waiting" | "blocked" = "";

  @state() private panel: "talk" | "history" = "talk";
  @state() private stopping = false;
  @state() private slow = false;
  @state() private notice = "";
  @query("countersign-peek") private peek!: Peek | null;
  @query("countersign-composer") private composer!: Composer | null;

  private session: Session | null = null;
  private readonly follower = new Follower(() => this.requestUpdate());
  private slowTimer: ReturnType<typeof setTimeout> | undefined;
  private known: ReadonlyMap<string, Check> = new Map();
  private knownKey = "";
  private heard = { running: false, caughtUp: false, cards: new Set<string>(), waiting: 0, thread: "" };

  override connectedCallback(): void {
    super.connectedCallback();
    voice();
    if (this.session && this.session.thread) this.session.renew(this.session.api);
  }

  override disconnectedCallback(): void {
    this.follower.stop();
    clearTimeout(this.slowTimer);
    this.session?.leave();
    this.session = null;
    super.disconnectedCallback();
  }

  override focus(): void {
    this.composer?.focus();
  }

  protected override willUpdate(changes: PropertyValues<this>): void {
    if (!this.api) return;
    if (!this.session) {
      this.session = new Session(this.api, this.store, () => this.moved());
      if (this.thread) this.session.open(this.thread);
      else void this.session.start({ ticket: this.ticket, incident: this.incident });
      return;
    }
    if (changes.has("api")) {
      this.session.renew(this.api);
      void this.renewCards();
    }
    if (changes.has("thread") && this.thread && this.thread !== this.session.thread) this.session.open(this.thread);
    if (changes.has("ticket") && this.ticket && changes.get("ticket") !== undefined) void this.session.fresh({ ticket: this.ticket });
  }

  /** The session has changed: at most once per frame. */
  private moved(): void {
    const { session } = this;
    if (!session) return;
    const trouble = session.stream === "reconnecting";
    if (!trouble) {
      clearTimeout(this.slowTimer);
      this.slowTimer = undefined;
      this.slow = false;
    } else {
      this.slowTimer ??= setTimeout(() => {
        this.slow = true;
      }, RECONNECTING_AFTER_MS);
    }
    this.requestUpdate();
  }

  protected override updated(): void {
    const { session } = this;
    if (!session) return;
    this.follower.watch(this.renderRoot.querySelector<HTMLElement>(".log"), this.renderRoot.querySelector<HTMLElement>(".column"));
    this.tell(session);
  }

  /** Says once what a listener would miss, and tells the page around how many cards wait. */
  private tell(session: Session): void {
    const { state } = session;
    const { heard } = this;
    const say = words(this.locale);
    if (heard.thread !== session.thread) this.heard = { ...heard, running: false, caughtUp: false, cards: new Set(), thread: session.thread };
    const now = this.heard;
    const busy = running(state);
    const waiting = cards(state).filter((card) => card.state === "awaiting");
    const fresh = waiting.find((card) => !now.cards.has(card.digest));
    if (now.caughtUp && state.caughtUp) {
      if (fresh) announce(say("announce.card", { headline: fresh.headline }));
      if (now.running && !busy) this.announceEnd(state.items, say);
      if (!now.running && busy) announce(say("announce.working"));
    }
    if (fresh && state.caughtUp && this.follower.following) void this.showCard(fresh);
    for (const card of waiting) if (state.caughtUp) now.cards.add(card.digest);
    now.running = busy;
    now.caughtUp ||= state.caughtUp;
    if (!busy) this.stopping = false;
    if (now.waiting !== waitingCards(state)) {
      now.waiting = waitingCards(state);
      this.dispatchEvent(new CustomEvent("countersign-waiting", { detail: now.waiting, bubbles: true, composed: true }));
    }
  }

  private announceEnd(items: readonly Item[], say: ChatWords): void {
    const last = items.findLast((item) => item.kind === "answer" || item.kind === "error");
    if (last?.kind === "error") announce(say("announce.error", { text: last.message }));
    if (last?.kind !== "answer") return;
    const text = last.text.replace(/[*_`#>|]|\[(?:E?\d+)\]/g, " ").replace(/\s+/g, " ").trim();
    const short = text.length > ANNOUNCED_CHARACTERS ? `${text.slice(0, ANNOUNCED_CHARACTERS)}…` : text;
    announce(say("announce.answer", { text: short }));
  }

  private async showCard(card: Card): Promise<void> {
    await this.updateComplete;
    const shown = [...this.renderRoot.querySelectorAll<HTMLElement & { card: Card | null }>("countersign-card")];
    const element = shown.find((one) => one.card?.digest === card.digest);
    if (!element) return;
    await (element as unknown as LitElement).updateComplete;
    this.follower.toStartOf(element);
  }

  /** After a sign-in a card has to learn what its reader may do now. */
  private async renewCards(): Promise<void> {
    const shown = [...this.renderRoot.querySelectorAll<HTMLElement & { card: Card | null }>("countersign-card")];
    for (const element of shown) {
      const { card } = element;
      if (!card || card.state !== "awaiting" || this.mode !== "decide") continue;
      try {
        const fresh = await this.api?.proposal(card.digest);
        // An event may have moved the card on in the meantime; then it is newer than the answer.
        if (fresh && element.card?.digest === fresh.digest && element.card.state === card.state) element.card = fresh;
      } catch {
        /* It still says that a sign-in is needed. */
      }
    }
  }

  /* ---- what is on screen ---------------------------------------------------------------------------------------------------- */

  protected override render(): TemplateResult {
    const say = words(this.locale);
    return html`<div class="root chat" @countersign-cite=${this.onCite}>
      ${this.inline ? nothing : this.header(say)}
      ${this.panel === "history"
        ? html`<countersign-history
            .api=${this.api}
            .locale=${this.locale}
            current=${this.session?.thread ?? ""}
            @choose=${this.onChoose}
          ></countersign-history>`
        : this.talk(say)}
      <countersign-peek .locale=${this.locale}></countersign-peek>
    </div>`;
  }

  private header(say: ChatWords): TemplateResult {
    return html`<header>
      <div class="brand">${sign("mark")}<h2>${say("name")}</h2></div>
      <slot name="actions"></slot>
      <button
        type="button"
        class="button quiet icon"
        aria-label=${say("history")}
        title=${say("history")}
        aria-pressed=${this.panel === "history"}
        @click=${(): void => {
          this.panel = this.panel === "history" ? "talk" : "history";
        }}
      >
        ${sign("past")}
      </button>
      <button type="button" class="button quiet icon" aria-label=${say("new")} title=${say("new")} @click=${this.onNew}>${sign("plus")}</button>
      ${this.closable
        ? html`<button type="button" class="button quiet icon" aria-label=${say("close")} title=${say("close")} @click=${this.onClose}>
            ${icon("close")}
          </button>`
        : nothing}
    </header>`;
  }

  private talk(say: ChatWords): TemplateResult {
    const { session } = this;
    const state = session?.state;
    const busy = state ? running(state) : false;
    const loading = session !== null && session.thread !== "" && state?.caughtUp === false && state.items.length === 0;
    const empty = !session?.thread && (state?.outbox.length ?? 0) === 0;
    const offline = typeof navigator !== "undefined" && navigator.onLine === false;
    return html`<div class="log" role="log" aria-live="off" aria-busy=${busy} aria-label=${say("chat")} tabindex="0">
        <div class="column">
          ${empty ? this.empty(say) : loading ? this.loading(say) : nothing} ${state ? this.turns(turns(state), say) : nothing}
          ${repeat(
            state?.outbox ?? [],
            (out) => out.runId,
            (out) => this.outgoing(out, say),
          )}
        </div>
      </div>
      <div class="foot">
        ${this.follower.following || empty
          ? nothing
          : html`<div class="jump">
              <button type="button" class="button small" @click=${(): void => this.follower.toEnd()}>${icon("down")} ${say("jump")}</button>
            </div>`}
        ${this.banner(say)}
        <countersign-composer
          .locale=${this.locale}
          .busy=${busy}
          .stopping=${this.stopping}
          .offline=${offline}
          .disabled=${this.api === null || session?.trouble === "no_access"}
          @send=${this.onSend}
          @stop=${this.onStop}
        ></countersign-composer>
      </div>`;
  }

  private banner(say: ChatWords): TemplateResult | typeof nothing {
    const trouble = this.session?.trouble ?? "";
    const stream = this.session?.stream;
    if (trouble === "signed_out") {
      const text = this.signing === "blocked" ? say("sign_in_blocked") : this.signing ? say("sign_in_waiting") : say("signed_out");
      return html`<div class="banner" role="status">
        <span>${text}</span><button type="button" class="button small" @click=${this.onSignIn}>${say("sign_in")}</button>
      </div>`;
    }
    if (trouble === "unreachable") {
      const again = (): void => void this.session?.start({ ticket: this.ticket, incident: this.incident });
      return html`<div class="banner" role="status">
        <span>${say("unreachable")}</span><button type="button" class="button small" @click=${again}>${say("again")}</button>
      </div>`;
    }
    if (trouble) return html`<div class="banner" role="status"><span>${say(trouble)}</span></div>`;
    if (this.notice) return html`<div class="banner" role="status"><span>${this.notice}</span></div>`;
    if (stream === "reconnecting" && this.slow) {
      return html`<div class="banner calm" role="status">
        <span class="spinner" aria-hidden="true"></span><span>${say("state.reconnecting")}</span>
        <button type="button" class="button small" @click=${(): void => this.session?.reconnect()}>${say("state.reconnect")}</button>
      </div>`;
    }
    return nothing;
  }

  private loading(say: ChatWords): TemplateResult {
    return html`<div class="loading"><span class="spinner" aria-hidden="true"></span>${say("loading")}</div>`;
  }

  private empty(say: ChatWords): TemplateResult {
    const point = (text: string, name: "check" | "close"): TemplateResult => html`<li>${icon(name)}<span>${text}</span></li>`;
    const examples = [say("example.1"), say("example.2"), say("example.3")];
    return html`<div class="empty">
      <div>
        <h3>${say("empty.title")}</h3>
        <p class="muted">${say("empty.lead")}</p>
      </div>
      <div>
        <h4>${say("empty.examples")}</h4>
        <ul>
          ${examples.map(
            (text) =>
              html`<li>
                <button type="button" class="example" @click=${(): void => this.say(text)}><span>${text}</span>${icon("arrow")}</button>
              </li>`,
          )}
        </ul>
      </div>
      <div>
        <h4>${say("empty.does")}</h4>
        <ul class="points">
          ${[say("empty.does_1"), say("empty.does_2"), say("empty.does_3")].map((text) => point(text, "check"))}
        </ul>
      </div>
      <div>
        <h4>${say("empty.never")}</h4>
        <ul class="points never">
          ${[say("empty.never_1"), say("empty.never_2")].map((text) => point(text, "close"))}
        </ul>
      </div>
    </div>`;
  }

  private turns(found: Turn[], say: ChatWords): unknown {
    const state = this.session?.state;
    if (state) {
      const now = evidence(state);
      const key = [...now].map(([label, check]) => `${label} ${check.id}`).join();
      if (key !== this.knownKey) {
        this.known = now;
        this.knownKey = key;
      }
    }
    return repeat(
      found,
      (turn) => turn.key,
      (turn) => html`<div class="turn">
        ${repeat(
          turn.items,
          (item) => item.id,
          (item) => this.item(item, say),
        )}
        ${this.end(turn, say)}
      </div>`,
    );
  }

  private item(item: Item, say: ChatWords): unknown {
    switch (item.kind) {
      case "user":
        return html`<div class="said"><span class="sr">${say("you")}:</span><div class="bubble" dir="auto">${shown(item.text)}</div></div>`;
      case "work":
        return html`<countersign-work .item=${item} .locale=${this.locale}></countersign-work>`;
      case "answer":
        return html`<countersign-answer
          .text=${item.text}
          .done=${item.done}
          .sources=${sourcesOf(this.session?.state ?? EMPTY, item.sources)}
          .evidence=${this.known}
          .locale=${this.locale}
        ></countersign-answer>`;
      case "sources":
        return this.sources(item, say);
      case "service":
        return html`<p class="service">
          <b>${line(item.service.title || item.service.name)}</b><code dir="ltr">${line(item.service.name)}</code>
          ${item.service.owner ? html`<span>${say("service.owner", { owner: item.service.owner })}</span>` : nothing}
        </p>`;
      case "card":
        return html`<countersign-card
          .card=${item.card}
          .api=${this.api}
          .mode=${this.mode}
          .locale=${this.locale}
          .thread=${this.session?.thread ?? ""}
          .person=${this.person}
        ></countersign-card>`;
      case "notice":
        return html`<p class="note ${item.level === "warning" ? "warn" : ""}">${line(item.says)}</p>`;
      case "error":
        return html`<p class="note danger">
          ${line(item.message || say("run.error"))}
          ${item.correlation ? html`<br /><span class="muted">${say("run.reference", { id: "" })}<code>${line(item.correlation)}</code></span>` : nothing}
        </p>`;
    }
  }

  private sources(item: ItemOf<"sources">, say: ChatWords): TemplateResult {
    const look = (event: PointerEvent, source: Source): void => {
      if (event.pointerType !== "touch") this.peek?.look(event.currentTarget as HTMLElement, { kind: "source", source });
    };
    const open = (event: Event, source: Source): void => {
      void this.peek?.pin(event.currentTarget as HTMLElement, { kind: "source", source });
    };
    return html`<div class="refs">
      ${item.sources.length > 0
        ? html`<span class="label" aria-hidden="true">${say("sources")}</span>
            <ol aria-label=${say("sources")}>
              ${item.sources.map(
                (source) =>
                  html`<li>
                    <button
                      type="button"
                      class="ref"
                      aria-haspopup="dialog"
                      @pointerenter=${(event: PointerEvent): void => look(event, source)}
                      @pointerleave=${(): void => this.peek?.leave()}
                      @click=${(event: Event): void => open(event, source)}
                    >
                      <span class="n">${source.n}</span><span>${line(source.title)}</span
                      ><span class="more"
                        >${source.relevant ? say("source.pages", { n: source.passages.length }) : say("source.weak")}</span
                      >
                    </button>
                  </li>`,
              )}
            </ol>`
        : nothing}
      ${item.similar.length > 0
        ? html`<span class="label">${say("similar")}</span>
            <ul class="similar">
              ${item.similar.map(
                (ticket) =>
                  html`<li>
                    <span><code dir="ltr">${line(ticket.ticket)}</code> ${line(ticket.subject)}</span>
                    <span class="muted"
                      >${ticket.verified ? say("similar.verified") : say("similar.solved", { when: age(ticket.solved_at, Date.now(), this.locale) })}</span
                    >
                    <span class="solution">${line(ticket.solution)}</span>
                  </li>`,
              )}
            </ul>`
        : nothing}
    </div>`;
  }

  /** How a turn ended: what can be done with its answer, or why there is none. */
  private end(turn: Turn, say: ChatWords): unknown {
    const { run } = turn;
    if (!run) return nothing;
    if (run.state === "running") {
      const works = turn.items.some((item) => item.kind === "work" && !item.done);
      return works ? nothing : html`<p class="muted"><span class="spinner" aria-hidden="true"></span> ${say("work.running")}</p>`;
    }
    if (run.state === "cancelled") return html`<p class="note">${say("run.cancelled")}</p>`;
    const text = turn.items.flatMap((item) => (item.kind === "answer" ? [item.text] : [])).join("\n\n");
    if (!text || run.state === "error") return nothing;
    return html`<countersign-tail
      .text=${text}
      .run=${run.id}
      .locale=${this.locale}
      .give=${this.give}
    ></countersign-tail>`;
  }

  private outgoing(out: Outgoing, say: ChatWords): TemplateResult {
    const why = { offline: say("failed.offline"), signed_out: say("failed.signed_out") }[out.problem] ?? say("failed.other", { why: out.problem });
    return html`<div class="turn">
      <div class="said"><span class="sr">${say("you")}:</span><div class="bubble waiting" dir="auto">${shown(out.text)}</div></div>
      ${out.state === "failed"
        ? html`<div class="failed" role="alert">
            <span>${why}</span>
            <button type="button" class="button small" @click=${(): void => void this.session?.retry(out.runId)}>${say("again")}</button>
            <button type="button" class="button quiet small" @click=${(): void => this.session?.drop(out.runId)}>${say("failed.drop")}</button>
          </div>`
        : html`<p class="muted"><span class="spinner" aria-hidden="true"></span> ${say(out.state === "sending" ? "sending" : "work.running")}</p>`}
    </div>`;
  }

  /* ---- what a person does ---------------------------------------------------------------------------------------------------- */

  /** Says something on the person's behalf, as if they had typed it. */
  say(text: string): void {
    this.notice = "";
    this.follower.toEnd();
    void this.session?.send(text);
    this.composer?.focus();
  }

  private readonly give = (run: string, useful: boolean, why?: string): Promise<void> =>
    this.session?.feedback(run, useful, why) ?? Promise.resolve();

  private readonly onSend = (event: CustomEvent<string>): void => this.say(event.detail);

  private readonly onStop = async (): Promise<void> => {
    this.stopping = true;
    try {
      await this.session?.stop();
      this.notice = "";
    } catch (error) {
      this.stopping = false;
      const cannot = error instanceof Problem && error.code === "cannot_stop";
      this.notice = words(this.locale)(cannot ? "stop.cannot" : "stop.failed");
    }
  };

  private readonly onNew = (): void => {
    this.panel = "talk";
    this.notice = "";
    void this.session?.fresh();
    void this.updateComplete.then(() => this.composer?.focus());
  };

  private readonly onChoose = (event: CustomEvent<string>): void => {
    this.panel = "talk";
    this.follower.toEnd();
    if (event.detail && event.detail !== this.session?.thread) this.session?.open(event.detail);
    void this.updateComplete.then(() => this.composer?.focus());
  };

  private readonly onClose = (): void => {
    this.dispatchEvent(new CustomEvent("countersign-close", { bubbles: true, composed: true }));
  };

  private readonly onSignIn = (): void => {
    const event = new CustomEvent("countersign-sign-in", { detail: { digest: "" }, bubbles: true, composed: true, cancelable: true });
    if (this.dispatchEvent(event)) this.enter();
  };

  /** What happens when nobody around takes care of a sign-in. */
  protected enter(): void {
    /* On our own pages somebody does. */
  }

  private readonly onCite = (event: CustomEvent<CiteDetail>): void => {
    const { label, anchor, how, sources } = event.detail;
    const { peek } = this;
    if (!peek) return;
    if (how === "leave") {
      peek.leave();
      return;
    }
    const check = this.known.get(label);
    const source = sources.find((one) => String(one.n) === label);
    const behind = check ? ({ kind: "evidence", check } as const) : source ? ({ kind: "source", source } as const) : null;
    if (!behind) return;
    if (how === "click") void peek.pin(anchor, behind);
    else peek.look(anchor, behind, how === "focus");
  };
}
