/** The approval card on pages of our own: it can approve, edit, reject and ask, with friction that grows with the risk. */
import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { Problem } from "../api";
import { countdown } from "../time";
import type { Card, DecisionAnswer, DecisionRequest } from "../types";
import { announce } from "./announce";
import { urgency } from "./clock";
import { type Field, type Wrong, changed, collect, fields, wrong } from "./form";
import { type Obstacle, mayTurnDown, obstacles } from "./friction";
import { icon } from "./icons";
import { foldable } from "./sections";
import { line } from "./strings";
import { CardView } from "./view";
import { refusal } from "./words";

type Form = "reject" | "edit" | "ask";
type End = "runs" | "changes";

const ENDS: readonly End[] = ["runs", "changes"];
const PRESETS = ["preset.cause", "preset.risk", "preset.target", "preset.taken", "preset.window"] as const;
/** So often the card looks again whether an obstacle of time is gone. */
const SETTLE_MS = 120;
/** So long after the time is over the server is asked how the card ended. */
const OVER_MS = 2500;

export class CardDecide extends CardView {
  /** True while there is no connection: nothing can be sent. */
  @property({ type: Boolean }) offline = false;

  @state() private form: Form | null = null;
  @state() private busy: DecisionRequest["decision"] | null = null;
  @state() private trouble = "";
  @state() private notice = "";
  @state() private typed = "";
  @state() private values: Record<string, string> = {};
  @state() private wrongs: Record<string, Wrong> = {};
  @state() private seen: ReadonlySet<End> = new Set();
  @state() private preset = "";
  @state() private words = "";
  @state() private missing = false;

  private changedAt = performance.now();
  private settle: ReturnType<typeof setTimeout> | undefined;
  private overTimer: ReturnType<typeof setTimeout> | undefined;
  private ends: IntersectionObserver | null = null;
  private watched: IntersectionObserver | null = null;
  private onScreen = false;
  private shownSince = 0;
  private shownMs = 0;
  private asked = "";
  private wasReady = false;
  private readonly visibility = (): void => this.countScreenTime(this.onScreen);

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.visibility);
    this.ends = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const end = (entry.target as HTMLElement).dataset["end"];
        if (entry.isIntersecting && document.visibilityState === "visible") this.saw(end);
      }
    });
    this.watched = new IntersectionObserver((entries) => {
      for (const entry of entries) this.countScreenTime(entry.isIntersecting);
    });
    this.watched.observe(this);
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    this.countScreenTime(false);
    document.removeEventListener("visibilitychange", this.visibility);
    this.ends?.disconnect();
    this.watched?.disconnect();
    clearTimeout(this.settle);
    clearTimeout(this.overTimer);
    super.disconnectedCallback();
  }

  private get decides(): boolean {
    return this.mode === "decide";
  }

  private get secondsOnScreen(): number {
    const running = this.shownSince > 0 ? performance.now() - this.shownSince : 0;
    return Math.round((this.shownMs + running) / 1000);
  }

  private countScreenTime(onScreen: boolean): void {
    if (this.shownSince > 0) this.shownMs += performance.now() - this.shownSince;
    this.onScreen = onScreen;
    this.shownSince = onScreen && document.visibilityState === "visible" ? performance.now() : 0;
  }

  protected override willUpdate(changes: PropertyValues<this>): void {
    const { card } = this;
    const before = changes.get("card");
    // What the reader may do does not change with an event that only repeats the card.
    if (card && before?.you && !card.you && before.digest === card.digest && before.state === card.state)
      this.card = { ...card, you: before.you };
    super.willUpdate(changes);
    if (changes.has("api") || changes.has("card")) void this.askWhatIMay();
    const ready = this.decides && this.obstacles.length === 0;
    if (ready && !this.wasReady && this.card?.friction.see_all) announce(this.say("announce.ready"));
    this.wasReady = ready;
  }

  protected override took(card: Card, before: Card | null): void {
    super.took(card, before);
    if (before?.digest !== card.digest) {
      this.seen = new Set();
      this.shownMs = 0;
      this.shownSince = this.shownSince > 0 ? performance.now() : 0;
      this.trouble = "";
      this.reset();
    }
    if (before?.shown !== card.shown || before.state !== card.state) {
      this.changedAt = performance.now();
      clearTimeout(this.settle);
      if (card.friction.wait_ms > 0)
        this.settle = setTimeout(() => this.requestUpdate(), card.friction.wait_ms + SETTLE_MS);
    }
    if (card.state !== "awaiting") this.form = null;
  }

  protected override updated(): void {
    for (const mark of this.renderRoot.querySelectorAll<HTMLElement>("[data-end]")) this.ends?.observe(mark);
  }

  /** A card from a thread's event does not say what its reader may do, and may be old; ask once for each state. */
  private async askWhatIMay(): Promise<void> {
    const { card, api } = this;
    if (!card || !api || !this.decides || card.state !== "awaiting" || card.you) return;
    const question = `${card.digest} ${card.state}`;
    if (this.asked === question) return;
    this.asked = question;
    try {
      const fresh = await api.proposal(card.digest);
      if (this.card?.digest === fresh.digest) this.card = this.newer(fresh, card);
    } catch (error) {
      if (error instanceof Problem && error.signedOut && this.card) {
        this.card = {
          ...this.card,
          you: { may_approve: false, may_reject: false, may_edit: false, why_not: "", sign_in: true },
        };
      }
    } finally {
      this.asked = "";
    }
  }

  protected override timeOver(): void {
    const digest = this.card?.digest;
    this.overTimer = setTimeout(() => {
      if (digest && this.card?.digest === digest && this.card.state === "awaiting") void this.lookAgain(digest);
    }, OVER_MS);
  }

  private get situation(): Parameters<typeof obstacles>[1] {
    const { card } = this;
    return {
      read: this.seen.size === ENDS.length,
      unfolded: card === null || foldable(card).every((part) => this.opened.has(part)),
      sinceChange: performance.now() - this.changedAt,
      secondsLeft: this.secondsLeft,
      typed: this.typed,
      ownPage: this.page,
      busy: this.busy !== null,
      offline: this.offline,
      signedIn: this.signedIn,
    };
  }

  private get obstacles(): Obstacle[] {
    return this.card ? obstacles(this.card, this.situation) : ["not_awaiting"];
  }

  /** An end that was on the screen, or that the focus was on, has been read as far as anybody can tell. */
  private saw(end: string | undefined): void {
    const part = ENDS.find((one) => one === end);
    if (!part || this.seen.has(part)) return;
    // The end of a folded part is not the end of what it holds.
    const card = this.card;
    const folds = part === "runs" ? "exact" : "diff";
    if (card && foldable(card).includes(folds) && !this.opened.has(folds)) return;
    this.seen = new Set([...this.seen, part]);
  }

  protected override end(part: End): unknown {
    if (!this.decides) return nothing;
    return html`<span class="end" id=${`end-${part}`} data-end=${part} tabindex="-1" @focus=${() => this.saw(part)}></span>`;
  }

  protected override fold(part: Parameters<CardView["fold"]>[0], to: boolean): void {
    super.fold(part, to);
    // The mark may be on the screen already; it counts again now that all is open.
    void this.updateComplete.then(() => {
      for (const mark of this.renderRoot.querySelectorAll<HTMLElement>("[data-end]")) {
        this.ends?.unobserve(mark);
        this.ends?.observe(mark);
      }
    });
  }

  private goToEnd(part: End): void {
    const folds = part === "runs" ? "exact" : "diff";
    if (this.card && foldable(this.card).includes(folds) && !this.opened.has(folds)) this.fold(folds, false);
    void this.updateComplete.then(() => {
      const mark = this.renderRoot.querySelector<HTMLElement>(`#end-${part}`);
      mark?.scrollIntoView({ block: "center" });
      mark?.focus({ preventScroll: true });
    });
  }

  // ---- drawing ---------------------------------------------------------------------------------------------------------------

  protected override actions(card: Card, standing: Card["state"]): TemplateResult | typeof nothing {
    if (!this.decides) return super.actions(card, standing);
    if (standing !== "awaiting") return this.trouble ? html`<div class="actions">${this.whatWentWrong()}</div>` : nothing;
    const found = this.obstacles;
    const ready = found.length === 0;
    const first = found[0];
    const stuck = this.situation.read && this.situation.unfolded;
    return html`<div class="actions ${stuck ? "stuck" : ""}" @keydown=${this.onKey}>
      ${first === "sign_in"
        ? html`<button class="button primary wide" type="button" @click=${this.signIn}>${icon("person")} ${this.say("sign_in")}</button>`
        : first === "page_only"
          ? html`<a class="button primary wide" href=${this.cardUrl(card.digest)} target="_blank" rel="noopener"
              >${icon("open")} ${this.say("open_to_decide")}<span class="sr"> (${this.say("new_tab")})</span></a
            >`
          : html`${card.friction.type_target && card.you?.may_approve ? this.typing(card) : nothing}
              <button
                class="button primary wide approve"
                type="button"
                aria-disabled=${ready ? "false" : "true"}
                aria-describedby="obstacle"
                @click=${this.approve}
              >
                ${this.busy === "approve" ? html`<span class="spinner" aria-hidden="true"></span>` : icon("check")}
                <span>${this.busy === "approve" ? this.say("approving") : line(this.say("approve", { target: card.target.name }))}</span>
              </button>`}
      ${first === "sign_in" || first === "page_only" ? nothing : this.clock(card)}
      <div class="obstacle muted small" id="obstacle">${this.inTheWay(card, found)}</div>
      <div class="others" role="group" aria-label=${this.say("decide")}>
        ${this.opener("reject", card.you?.may_reject === true)}
        ${card.editable ? this.opener("edit", card.you?.may_edit === true) : nothing} ${this.opener("ask", card.you?.sign_in !== true || this.signedIn)}
      </div>
      ${this.form === "reject" ? this.rejecting() : this.form === "edit" ? this.editing(card) : this.form === "ask" ? this.asking() : nothing}
      ${this.whatWentWrong()}
      ${this.notice ? html`<p class="note accent">${line(this.notice)}</p>` : nothing}
    </div>`;
  }

  private whatWentWrong(): TemplateResult | typeof nothing {
    return this.trouble ? html`<p class="note danger" role="alert">${icon("warn")} ${line(this.trouble)}</p>` : nothing;
  }

  /** Time left once more, beside the button; a listener has it from the head of the card. */
  private clock(card: Card): TemplateResult {
    const left = this.secondsLeft;
    return html`<p class="clock small" aria-hidden="true">
      <span class="left ${urgency(left)}">${icon("wait")} <span class="number">${this.say("left", { clock: countdown(card.expires_at, this.now) })}</span></span>
    </p>`;
  }

  private typing(card: Card): TemplateResult {
    return html`<label class="typing">
      <span>${line(this.say("type_target", { target: card.target.name }))}</span>
      <input
        class="field mono"
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        .value=${this.typed}
        @input=${(event: Event) => {
          this.typed = (event.target as HTMLInputElement).value;
        }}
      />
    </label>`;
  }

  /** Why the button does not work yet, in words, with the way to get on. */
  private inTheWay(card: Card, found: readonly Obstacle[]): unknown {
    const first = found[0];
    if (first === undefined) return this.say(card.friction.see_all ? "ready" : "ready_low");
    if (first === "not_awaiting" || first === "busy") return this.say("obstacle.busy");
    if (first === "not_allowed") return line(card.you?.why_not || this.say("obstacle.not_allowed"));
    const text = this.say(`obstacle.${first}`);
    const jumps: [End, string][] =
      first === "unfold"
        ? foldable(card)
            .filter((part) => !this.opened.has(part))
            .map((part) => (part === "exact" ? ["runs", this.say("runs")] : ["changes", this.say("changes")]))
        : first === "read"
          ? ENDS.filter((end) => !this.seen.has(end)).map((end) => [end, this.say(end)])
          : [];
    return html`${text}
    ${jumps.map(([end, name]) => html` <button class="link" type="button" @click=${() => this.goToEnd(end)}>${name}</button>`)}`;
  }

  private opener(form: Form, allowed: boolean): TemplateResult {
    const open = this.form === form;
    const works = allowed && (form === "ask" || (this.card !== null && mayTurnDown(this.card, this.situation)) || form === "edit");
    return html`<button
      class="button"
      type="button"
      id=${`open-${form}`}
      aria-expanded=${open ? "true" : "false"}
      ?disabled=${!works || this.busy !== null || this.offline}
      @click=${() => this.show(open ? null : form)}
    >
      ${this.say(form)}
    </button>`;
  }

  private rejecting(): TemplateResult {
    return html`<form class="form" novalidate aria-labelledby="form-title" @submit=${this.sendReject}>
      <p class="sub" id="form-title">${this.say("reject_title")}</p>
      <div class="presets" role="group" aria-labelledby="form-title">
        ${PRESETS.map((key) => {
          const text = this.say(key);
          const chosen = this.preset === text;
          return html`<button
            class="button small ${chosen ? "chosen" : ""}"
            type="button"
            aria-pressed=${chosen ? "true" : "false"}
            @click=${() => {
              this.preset = chosen ? "" : text;
              this.missing = false;
            }}
          >
            ${chosen ? icon("check") : nothing}${text}
          </button>`;
        })}
      </div>
      <label>
        <span>${this.say("reject_text")}</span>
        <textarea class="field" rows="2" maxlength="400" aria-describedby="form-note" .value=${this.words} @input=${this.onWords}></textarea>
      </label>
      <p class="muted small" id="form-note">${this.say("reject_note")}</p>
      ${this.missing ? html`<p class="wrong" role="alert">${this.say("reject_missing")}</p>` : nothing}
      ${this.send("reject_send", "danger")}
    </form>`;
  }

  private asking(): TemplateResult {
    return html`<form class="form" novalidate aria-labelledby="form-title" @submit=${this.sendAsk}>
      <p class="sub" id="form-title">${this.say("ask_title")}</p>
      <label>
        <span class="sr">${this.say("ask_text")}</span>
        <textarea class="field" rows="2" maxlength="1000" required aria-describedby="form-note" .value=${this.words} @input=${this.onWords}></textarea>
      </label>
      <p class="muted small" id="form-note">${this.say("ask_note")}</p>
      ${this.send("ask_send", "")}
    </form>`;
  }

  private editing(card: Card): TemplateResult {
    return html`<form class="form" novalidate aria-labelledby="form-title" @submit=${this.sendEdit}>
      <p class="sub" id="form-title">${this.say("edit_title")}</p>
      ${fields(card.editable ?? {}, card.args).map((field) => this.input(field))}
      <p class="muted small" id="form-note">${this.say("edit_note")}</p>
      ${this.missing ? html`<p class="wrong" role="alert">${this.say("edit_same")}</p>` : nothing} ${this.send("edit_send", "")}
    </form>`;
  }

  private input(field: Field): TemplateResult {
    const id = `field-${field.name}`;
    const value = this.values[field.name] ?? field.value;
    const fault = this.wrongs[field.name];
    const set = (event: Event): void => {
      this.values = { ...this.values, [field.name]: (event.target as HTMLInputElement).value };
      this.missing = false;
      const { [field.name]: _, ...rest } = this.wrongs;
      this.wrongs = rest;
    };
    const hint = [
      field.description,
      field.minimum !== undefined && field.maximum !== undefined
        ? this.say("bounds", { least: field.minimum, most: field.maximum })
        : "",
    ]
      .filter((one) => one !== "")
      .join(" ");
    const options =
      field.kind === "yes_no" ? ([["true", this.say("yes")], ["false", this.say("no")]] as const) : (field.choices ?? []).map((one) => [String(one), String(one)] as const);
    return html`<div class="input">
      <label for=${id}>
        <code>${line(field.name)}</code>
        ${field.required ? nothing : html`<span class="muted small">${this.say("optional")}</span>`}
      </label>
      ${field.kind === "choice" || field.kind === "yes_no"
        ? html`<select class="field mono" id=${id} aria-describedby=${`${id}-hint`} aria-invalid=${fault ? "true" : "false"} @change=${set}>
            <option value="" ?selected=${value === ""}>${this.say("choose")}</option>
            ${options.map(([one, name]) => html`<option value=${one} ?selected=${one === value}>${name}</option>`)}
          </select>`
        : html`<input
            class="field mono"
            id=${id}
            inputmode=${field.kind === "whole" ? "numeric" : "text"}
            autocomplete="off"
            autocapitalize="none"
            spellcheck="false"
            ?required=${field.required}
            aria-describedby=${`${id}-hint`}
            aria-invalid=${fault ? "true" : "false"}
            .value=${value}
            @input=${set}
          />`}
      <p class="small ${fault ? "wrong" : "muted"}" id=${`${id}-hint`}>
        ${fault ? html`${icon("warn")} ${line(this.say(`wrong.${fault.code}`, { limit: fault.limit ?? "" }))}` : line(hint)}
      </p>
    </div>`;
  }

  private send(key: "reject_send" | "edit_send" | "ask_send", style: string): TemplateResult {
    return html`<div class="send">
      <button class="button ${style || "primary"}" type="submit" ?disabled=${this.offline} aria-disabled=${this.busy ? "true" : "false"}>
        ${this.busy ? html`<span class="spinner" aria-hidden="true"></span> ${this.say("sending")}` : this.say(key)}
      </button>
      <button class="button quiet" type="button" @click=${() => this.show(null)}>${this.say("cancel")}</button>
    </div>`;
  }

  // ---- acting ----------------------------------------------------------------------------------------------------------------

  private readonly onWords = (event: Event): void => {
    this.words = (event.target as HTMLTextAreaElement).value;
    this.missing = false;
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || this.form === null) return;
    event.stopPropagation();
    event.preventDefault();
    this.show(null);
  };

  private reset(): void {
    this.form = null;
    this.preset = "";
    this.words = "";
    this.typed = "";
    this.values = {};
    this.wrongs = {};
    this.missing = false;
    this.notice = "";
  }

  /** Open a form and go to its first field; close it and go back to the button it came from. */
  private show(form: Form | null): void {
    const from = this.form;
    if (from !== form) this.reset();
    this.trouble = "";
    this.form = form;
    void this.updateComplete.then(() => {
      const to = form
        ? this.renderRoot.querySelector<HTMLElement>(".form .presets button, .form .field")
        : this.renderRoot.querySelector<HTMLElement>(`#open-${from}`);
      to?.focus();
    });
  }

  private readonly signIn = (): void => {
    const event = new CustomEvent("countersign-sign-in", {
      detail: { digest: this.card?.digest ?? "" },
      bubbles: true,
      composed: true,
    });
    this.dispatchEvent(event);
  };

  private readonly approve = (): void => {
    if (this.obstacles.length > 0) return;
    void this.decide({ decision: "approve" });
  };

  private readonly sendReject = (event: Event): void => {
    event.preventDefault();
    const reason = [this.preset, this.words.trim()].filter((one) => one !== "").join(": ");
    this.missing = reason === "";
    if (!this.missing) void this.decide({ decision: "reject", reason });
  };

  private readonly sendAsk = (event: Event): void => {
    event.preventDefault();
    const question = this.words.trim();
    if (question !== "") void this.decide({ decision: "ask", question, ...(this.thread ? { thread: this.thread } : {}) });
  };

  private readonly sendEdit = (event: Event): void => {
    event.preventDefault();
    const { card } = this;
    if (!card) return;
    const all = fields(card.editable ?? {}, card.args);
    const wrongs: Record<string, Wrong> = {};
    for (const field of all) {
      const fault = wrong(field, this.values[field.name] ?? field.value);
      if (fault) wrongs[field.name] = fault;
    }
    this.wrongs = wrongs;
    const first = all.find((field) => wrongs[field.name]);
    if (first) {
      void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(`[id="field-${first.name}"]`)?.focus());
      return;
    }
    this.missing = !changed(all, this.values);
    if (!this.missing) void this.decide({ decision: "edit", args: collect(all, this.values) as Record<string, string | number> });
  };

  /** Send one decision; while it is under way nothing else is sent, so a double click is one click. */
  private async decide(what: Omit<DecisionRequest, "shown" | "seconds_on_screen">): Promise<void> {
    const { card, api } = this;
    if (!card || !api || this.busy) return;
    this.busy = what.decision;
    this.trouble = "";
    this.notice = "";
    try {
      const answer = await api.decide(card.digest, { ...what, shown: card.shown, seconds_on_screen: this.secondsOnScreen });
      this.busy = null;
      await this.answered(what.decision, card, answer);
    } catch (error) {
      this.busy = null;
      await this.refused(error, card);
    }
  }

  private async answered(decision: DecisionRequest["decision"], card: Card, answer: DecisionAnswer): Promise<void> {
    if (decision === "ask") {
      this.reset();
      this.notice = this.say("asked");
      announce(this.notice);
      this.tell("countersign-asked", { digest: card.digest, threadId: answer.threadId ?? "", runId: answer.runId ?? "" });
      void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>("#open-ask")?.focus());
      return;
    }
    const next = decision === "edit" ? (answer.successor ?? answer.digest ?? card.digest) : card.digest;
    this.tell("countersign-decided", { digest: card.digest, decision, state: answer.state ?? "", next });
    await this.lookAgain(next);
    if (next !== card.digest) announce(this.say("announce.new_card"));
    await this.focusHeading();
  }

  private async refused(error: unknown, card: Card): Promise<void> {
    if (!(error instanceof Problem)) {
      this.trouble = this.say("error.other");
      return;
    }
    if (error.signedOut) {
      this.trouble = this.say("error.signed_out");
      this.card = { ...card, you: { may_approve: false, may_reject: false, may_edit: false, why_not: "", sign_in: true } };
      return;
    }
    const code = error.status === 404 ? "not_found" : error.code;
    this.trouble = refusal(code, error.detail, this.say);
    if (!error.offline && code !== "bad_args" && code !== "busy") await this.lookAgain(card.digest);
  }

  /** Get the card anew and show it; a page that holds it hears of that. */
  private async lookAgain(digest: string): Promise<void> {
    if (!this.api) return;
    const before = this.card;
    try {
      const fresh = this.newer(await this.api.proposal(digest), before);
      const trouble = this.trouble;
      this.card = fresh;
      await this.updateComplete;
      this.trouble = trouble;
      this.tell("countersign-card", { card: fresh });
    } catch {
      // The decision stands as it was answered; the page's own stream brings the card when it can.
    }
  }

  /** An answer that was under way while an event moved the card on is older than the card. */
  private newer(fresh: Card, before: Card | null): Card {
    const { card } = this;
    const moved = card?.digest === fresh.digest && before?.digest === fresh.digest && card.state !== before.state;
    return moved ? { ...card, ...(fresh.you ? { you: fresh.you } : {}) } : fresh;
  }

  private tell(name: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
