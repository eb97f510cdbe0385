/**
 * The approval card as it is read: everything a person needs to decide, and how it went on. It cannot decide.
 *
 * What a page of others embeds carries this class alone; `decide.ts` adds the deciding for pages of our own.
 */
import { LitElement, type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import type { Api } from "../api";
import { base } from "../theme";
import { countdown, localTime, offsetOf, took } from "../time";
import type { Card, Locale, ProposalState } from "../types";
import { announce } from "./announce";
import { leftInWords, milestone, secondsUntil, urgency } from "./clock";
import { icon, toneIcon } from "./icons";
import {
  type Copied,
  type Foldable,
  type Look,
  afterwards,
  checks,
  evidence,
  fingerprint,
  foldable,
  people,
  risk,
  riskBadge,
  section,
  undo,
  whatChanges,
  whatRuns,
  where,
  why,
} from "./sections";
import { moves, tone } from "./states";
import { line } from "./strings";
import { styles } from "./styles";
import { type CardWords, decidedKey, words } from "./words";

const TICK_MS = 1000;

// A card that was read from an old event carries an old time, which only ever makes the server's clock look slow.
let clockOffset = Number.NEGATIVE_INFINITY;

export class CardView extends LitElement {
  static override styles = [...base, styles];

  @property({ attribute: false }) card: Card | null = null;
  @property({ attribute: false }) api: Api | null = null;
  @property() mode: "decide" | "show" = "show";
  @property() thread = "";
  @property() locale: Locale = "en";
  /** The person who looks, to say "you" beside their name. */
  @property() person = "";
  /** They came in by a sign-in of their own: being sent to sign in again would lead nowhere. */
  @property({ type: Boolean, attribute: "signed-in" }) signedIn = false;
  /** A page of its own: everything open, and the place where a high risk is decided. */
  @property({ type: Boolean, reflect: true }) page = false;
  /** The level of the card's heading in its page; its parts are one below. */
  @property({ type: Number }) level = 3;

  @state() protected now = Date.now();
  @state() private unfolded: ReadonlySet<Foldable> = new Set();
  @state() private copied: Copied | "" = "";

  /** What was unfolded at least once; folding it again takes nothing back. */
  protected opened = new Set<Foldable>();
  protected say: CardWords = words("en");
  private timer: ReturnType<typeof setInterval> | undefined;
  private lastLeft = 0;
  private lastState: { digest: string; state: string } | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  override disconnectedCallback(): void {
    clearInterval(this.timer);
    super.disconnectedCallback();
  }

  /** Put the focus on the heading: when a person asked for this card, never when it came by itself. */
  async focusHeading(): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("#heading")?.focus();
  }

  /** The state as it is by the server's clock: a card whose time is over looks so before the server says it. */
  protected get standing(): ProposalState {
    const { card } = this;
    if (!card) return "awaiting";
    return card.state === "awaiting" && this.secondsLeft <= 0 ? "expired" : card.state;
  }

  protected get secondsLeft(): number {
    return this.card ? secondsUntil(this.card.expires_at, this.now) : 0;
  }

  protected tick(): void {
    const { card } = this;
    if (!card) return;
    const before = this.now;
    const now = this.serverNow();
    // Once it is decided only ages go on; they need no second hand.
    if (!moves(card.state) && now - before < 15_000) return;
    this.now = now;
    if (card.state !== "awaiting") return;
    const left = this.secondsLeft;
    const passed = milestone(this.lastLeft, left);
    this.lastLeft = left;
    if (passed !== null) {
      const said = leftInWords(passed === 0 ? 0 : left);
      announce(this.say(said.key, { n: said.n }));
      if (passed === 0) this.timeOver();
    }
  }

  /** The time to decide has just run out. */
  protected timeOver(): void {}

  protected serverNow(): number {
    return Date.now() + (Number.isFinite(clockOffset) ? clockOffset : 0);
  }

  protected override willUpdate(changes: PropertyValues<this>): void {
    if (changes.has("locale")) this.say = words(this.locale);
    if (changes.has("card") && this.card) this.took(this.card, changes.get("card") ?? null);
  }

  /** What follows from a card that came or changed. */
  protected took(card: Card, before: Card | null): void {
    clockOffset = Math.max(clockOffset, offsetOf(card.now));
    this.now = this.serverNow();
    this.lastLeft = this.secondsLeft;
    if (before?.digest !== card.digest) {
      const open = this.page ? foldable(card) : [];
      this.unfolded = new Set(open);
      this.opened = new Set(open);
    }
    const last = this.lastState;
    if (last?.digest === card.digest && last.state !== card.state) this.announceState(card);
    this.lastState = { digest: card.digest, state: card.state };
  }

  /** One sentence for a listener, once per change. */
  private announceState(card: Card): void {
    const decided = card.decision && ["approved", "rejected", "withdrawn", "superseded"].includes(card.state);
    const words = decided ? this.decisionWords(card) : this.say(`state.${card.state}`);
    announce(this.say("announce.state", { headline: card.headline, state: words }));
  }

  protected decisionWords(card: Card): string {
    const { decision } = card;
    if (!decision) return "";
    return this.say(decidedKey(decision.state), { by: decision.by, at: localTime(decision.at, this.locale) });
  }

  protected get look(): Look {
    return {
      say: this.say,
      locale: this.locale,
      now: this.now,
      person: this.person,
      copied: this.copied,
      level: this.level + 1,
      folded: (part) => !this.unfolded.has(part),
      fold: (part, to) => this.fold(part, to),
      copy: (text, what) => void this.copyText(text, what),
    };
  }

  protected fold(part: Foldable, to: boolean): void {
    const unfolded = new Set(this.unfolded);
    if (to) unfolded.delete(part);
    else {
      unfolded.add(part);
      this.opened.add(part);
    }
    this.unfolded = unfolded;
  }

  private async copyText(text: string, what: Copied): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return; // the browser does not allow it here; the text can still be selected
    }
    this.copied = what;
    announce(this.say("copied"));
    setTimeout(() => {
      this.copied = "";
    }, 2000);
  }

  protected override render(): TemplateResult {
    const { card, look } = this;
    if (!card) return html`<div class="root"></div>`;
    const standing = this.standing;
    const open = standing === "awaiting";
    return html`<div class="root">
      <div class="card ${tone(standing)} ${open ? "" : "ended"} risk-${card.risk.level}" role="group" aria-labelledby="heading">
        <div class="head">${this.header(card, standing)}</div>
        <div class="main">
          ${card.hidden_characters ? html`<p class="note danger hidden-note">${icon("warn")} ${this.say("hidden")}</p>` : nothing}
          ${this.how(card, standing)}
          ${section(look, "runs", this.say(open ? "runs" : "ran_exactly"), whatRuns(card, look), this.end("runs"))}
          ${section(look, "changes", this.say("changes"), whatChanges(card, look), this.end("changes"))}
          ${section(look, "where", this.say("where"), where(card, look))} ${section(look, "risk", this.say("risk"), risk(card, look))}
          ${section(
            look,
            "only-if",
            this.say("only_if"),
            html`<p>${line(card.precondition)}</p><p class="muted small">${this.say("only_if_more")}</p>`,
          )}
          ${section(look, "undo", this.say("undo"), undo(card, look))}
          ${section(look, "afterwards", this.say("afterwards"), afterwards(card, look))} ${this.background(card)}
        </div>
        <div class="rail">${this.actions(card, standing)} ${fingerprint(card, look)}</div>
      </div>
    </div>`;
  }

  /** Why, evidence and people: below what is signed, and folded where there is little room. */
  private background(card: Card): TemplateResult {
    const { look } = this;
    const parts = html`${section(look, "why", this.say("why"), why(card, look))}
    ${section(look, "evidence", this.say("evidence"), evidence(card, look))}
    ${section(look, "people", this.say("people"), people(card, look))}`;
    if (this.page) return parts;
    return html`<details class="background">
      <summary>${this.say("details")}</summary>
      ${parts}
    </details>`;
  }

  private header(card: Card, standing: ProposalState): TemplateResult {
    const left = this.secondsLeft;
    return html`
      <div class="status">
        <span class="state">
          ${standing === "executing" || standing === "executed"
            ? html`<span class="spinner" aria-hidden="true"></span>`
            : toneIcon(tone(standing))}
          ${this.say(`state.${standing}`)}
        </span>
        ${standing === "awaiting"
          ? html`<span class="left ${urgency(left)}" role="timer" aria-live="off" title=${localTime(card.expires_at, this.locale)}>
              ${icon("wait")} <span class="number">${this.say("left", { clock: countdown(card.expires_at, this.now) })}</span>
            </span>`
          : nothing}
      </div>
      <div class="heading" id="heading" role="heading" aria-level=${this.level} tabindex="-1">${line(card.headline)}</div>
      <p class="about">
        ${riskBadge(card, this.look)}
        <span class="badge"><code>${line(card.target.name)}</code>${card.target.environment ? html` · ${line(card.target.environment)}` : nothing}</span>
        ${card.edited ? html`<span class="badge accent">${icon("note")} ${line(this.say("edited_by", { who: card.author }))}</span>` : nothing}
        <span class="muted">${line(card.incident)}${card.ticket ? html` · ${line(card.ticket)}` : nothing}${card.subject ? html` · ${line(card.subject)}` : nothing}</span>
      </p>
    `;
  }

  /** How it stands, in words; and once decided, by whom, how it went, and what takes it back. */
  private how(card: Card, standing: ProposalState): TemplateResult {
    const { say, locale } = this;
    const { outcome, decision } = card;
    const ran = outcome !== null && outcome.started_at !== "";
    const kind = { good: "ok", bad: "danger", warn: "warn", wait: "", run: "accent", quiet: "" }[tone(standing)];
    return html`<div class="how note ${kind}">
      <p><b>${say(`means.${standing}`)}</b></p>
      ${decision
        ? html`<p>
            ${line(this.decisionWords(card))}${decision.reason
              ? html`<br /><span class="muted">${line(say("because", { reason: decision.reason }))}</span>`
              : nothing}
          </p>`
        : nothing}
      ${standing === "awaiting"
        ? html`<p class="muted">${say("until", { at: localTime(card.expires_at, locale) })} ${say("then_nothing")}</p>`
        : nothing}
      ${card.successor
        ? html`<p>
            <a class="button small" href=${this.cardUrl(card.successor)} @click=${(event: Event) => this.goTo(event, card.successor ?? "")}
              >${icon("arrow")} ${say("successor")}</a
            >
          </p>`
        : nothing}
      ${ran
        ? html`<p class="muted">
            ${outcome.finished_at
              ? say("ran", {
                  from: localTime(outcome.started_at, locale),
                  to: localTime(outcome.finished_at, locale),
                  took: took(Math.max(0, Date.parse(outcome.finished_at) - Date.parse(outcome.started_at)), locale),
                })
              : say("began", { at: localTime(outcome.started_at, locale) })}
          </p>`
        : nothing}
      ${outcome?.reason ? html`<p>${say("said")}: ${line(outcome.reason)}</p>` : nothing}
      ${outcome && outcome.checks.length > 0
        ? html`<p class="sub">${say("checks_done")}</p>
            ${checks(outcome.checks, this.look)}`
        : nothing}
      ${ran ? html`<p>${icon("undo")} <b>${say("take_back")}:</b> ${line(card.undo.says)}</p>` : nothing}
      ${ran || decision ? html`<p class="muted small">${say("fingerprint")} <code>${card.short}</code></p>` : nothing}
    </div>`;
  }

  /** Where the deciding stands; here it is a link to where it can be done. */
  protected actions(card: Card, standing: ProposalState): TemplateResult | typeof nothing {
    if (standing !== "awaiting") return nothing;
    return html`<div class="actions">
      <a class="button primary" href=${this.cardUrl(card.digest)} target="_blank" rel="noopener"
        >${icon("open")} ${this.say("open_to_decide")}<span class="sr"> (${this.say("new_tab")})</span></a
      >
      <p class="muted small">${this.say("open_to_decide_more")}</p>
    </div>`;
  }

  /** Where the end of a part has to have been seen before an approval; nothing to see to where nobody decides. */
  protected end(_part: "runs" | "changes"): unknown {
    return nothing;
  }

  protected cardUrl(digest: string): string {
    return `${this.api?.endpoint ?? ""}/approvals/${encodeURIComponent(digest)}`;
  }

  /** A page that holds the card may show its successor in place. */
  protected goTo(event: Event, digest: string): void {
    const taken = !this.dispatchEvent(
      new CustomEvent("countersign-open-card", { detail: { digest }, bubbles: true, composed: true, cancelable: true }),
    );
    if (taken) event.preventDefault();
  }
}
