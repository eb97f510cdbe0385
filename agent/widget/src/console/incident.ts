/** One incident, whole: what happened in its order, what stands behind it, and the card to decide. */
import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "../card/card";
import { icon } from "../card/icons";
import { checks } from "../card/sections";
import { block, line } from "../card/strings";
import { words as cardWords } from "../card/words";
import { age, clockTime, localTime, took } from "../time";
import type { Card, Cause, ConsoleEvent, Observation, Source, Story } from "../types";
import { incidentStyles } from "./incident-styles";
import { Room } from "./room";
import { stateOf } from "./state";
import { type Moment, moments } from "./timeline";

export class CountersignIncident extends Room<Story> {
  static override styles = [...Room.styles, incidentStyles];

  @property() incident = "";
  @property({ type: Boolean }) offline = false;

  @state() private journalHead = "";
  /** The conversation is open beside the story. */
  @property({ type: Boolean, reflect: true }) talking = false;
  @state() private failed = "";
  /** The conversation a question on the card went to. */
  @state() private thread = "";
  protected override bones = 10;

  protected override async ask(): Promise<Story> {
    const story = await this.api.incident(this.incident);
    void this.askHead();
    return story;
  }

  /** The journal's head, for whoever may see it. */
  private async askHead(): Promise<void> {
    if (!this.me?.permissions.includes("audit")) return;
    try {
      this.journalHead = (await this.api.audit({ incident: this.incident, limit: 1 })).head;
    } catch {
      this.journalHead = "";
    }
  }

  protected override minds(event: ConsoleEvent): boolean {
    return event.type === "stop" || ("id" in event ? event.id : "incident" in event ? event.incident : "") === this.incident;
  }

  protected override willUpdate(changes: PropertyValues): void {
    super.willUpdate(changes);
    if (changes.has("incident") && this.hasUpdated) {
      this.talking = false;
      this.thread = "";
      this.again();
    }
  }

  protected override draw(story: Story): TemplateResult {
    const { say } = this;
    const { incident } = story;
    const cards = story.proposals.filter((card) => card.headline);
    const current = cards.at(-1);
    const earlier = cards.slice(0, -1).reverse();
    return html`
      <header class="title">
        <div>
          <p>${stateOf(incident.state, say)} <span class="muted">· ${line(incident.id)}${incident.ticket ? html` · ${say("ticket")} ${line(incident.ticket)}` : nothing}</span></p>
          <h1 tabindex="-1">${line(incident.subject || incident.id)}</h1>
          <p class="muted">
            ${incident.requester ? html`${line(say("reported_by", { who: incident.requester }))},` : nothing}
            <time datetime=${incident.opened_at} title=${localTime(incident.opened_at, this.locale)}>${age(incident.opened_at, this.now, this.locale)}</time>
          </p>
        </div>
        <button class="button" type="button" aria-expanded=${this.talking ? "true" : "false"} @click=${this.talk}>
          ${icon("chat")} ${say("ask_about")}
        </button>
      </header>
      <div class="columns">
        <div class="story">
          ${current ? this.cards(current, earlier) : nothing} ${this.altered(story)} ${this.diagnosis(story)} ${this.evidence(story)} ${this.sources(story)}
          ${this.similar(story)} ${this.record(story)}
        </div>
        <aside class="panel happened" aria-label=${say("timeline")}>
          <h2>${say("timeline")}</h2>
          <ol class="line">
            ${repeat(
              moments(story),
              (one) => one.key,
              (one) => this.moment(one, story),
            )}
          </ol>
        </aside>
        ${this.talking ? this.chat(story) : nothing}
      </div>
    `;
  }

  protected override head(): TemplateResult {
    return html`<nav class="crumbs" aria-label=${this.say("back")}><a href="#/incidents">${icon("back")} ${this.say("incidents")}</a></nav>
      ${this.data ? nothing : html`<h1>${line(this.incident)}</h1>`}`;
  }

  private cards(current: Card, earlier: readonly Card[]): TemplateResult {
    const card = (one: Card): TemplateResult => html`<countersign-card
      mode="decide"
      signed-in
      .level=${2}
      .card=${one}
      .api=${this.api}
      .locale=${this.locale}
      .person=${this.me?.person ?? ""}
      .offline=${this.offline}
      @countersign-card=${() => this.soon()}
      .thread=${this.conversation}
      @countersign-asked=${(event: CustomEvent<{ threadId: string }>) => {
        this.thread = event.detail.threadId;
        this.openChat();
      }}
    ></countersign-card>`;
    return html`<div class="cards">
      ${repeat(
        [current],
        (one) => one.digest,
        (one) => card(one),
      )}
      ${earlier.length > 0
        ? html`<details class="earlier">
            <summary>${this.say("earlier_cards", { n: earlier.length })}</summary>
            ${earlier.map((one) => card(one))}
          </details>`
        : nothing}
    </div>`;
  }

  /** A card that was tampered with is named, and never drawn. */
  private altered(story: Story): unknown {
    const bad = story.proposals.filter((card) => !card.headline);
    return bad.map((card) => html`<p class="note danger">${icon("warn")} <code>${card.digest.slice(7, 19)}</code> ${cardWords(this.locale)("error.altered")}</p>`);
  }

  private diagnosis(story: Story): TemplateResult | typeof nothing {
    const { say } = this;
    const { diagnosis } = story;
    const missing = [...new Set([...story.missing, ...(diagnosis?.missing ?? [])])];
    if (!diagnosis && missing.length === 0) return nothing;
    return html`<section class="panel" aria-labelledby="diagnosis">
      <h2 id="diagnosis">${say("diagnosis")}</h2>
      <div class="inside">
        ${diagnosis
          ? html`<p class="verdict">${line(diagnosis.says)}</p>
              ${diagnosis.causes.length > 0
                ? html`<h3>${say("causes")}</h3>
                    <ol class="causes">
                      ${diagnosis.causes.map((cause) => this.cause(cause))}
                    </ol>`
                : nothing}
              ${diagnosis.ruled_out > 0 ? html`<p class="muted small">${say("ruled_out", { n: diagnosis.ruled_out })}</p>` : nothing}
              <p class="muted small">${line(say("reasoned", { who: diagnosis.reasoner }))}</p>`
          : nothing}
        ${missing.length > 0
          ? html`<h3>${say("missing")}</h3>
              <ul class="missing">
                ${missing.map((one) => html`<li>${line(one)}</li>`)}
              </ul>`
          : nothing}
      </div>
    </section>`;
  }

  private cause(cause: Cause): TemplateResult {
    const { say } = this;
    const sure = cause.truth === "true";
    return html`<li>
      <p>
        <span class="badge ${sure ? "ok" : "warn"}">${icon(sure ? "good" : "wait")} ${say(sure ? "truth.true" : cause.truth === "false" ? "truth.false" : "truth.not known")}</span>
        ${line(cause.says)}
      </p>
      <p class="muted small">
        <code>${line(cause.page)}</code>${cause.service ? html` · <code>${line(cause.service)}</code>` : nothing}
        ${cause.evidence.map((one) => html` <a class="badge mono" href=${`#${one}`} @click=${(event: Event) => this.show(event, one)}>${one}</a>`)}
      </p>
      ${cause.decided_by.map((one) => html`<p class="small">${line(say("would_decide", { what: one }))}</p>`)}
      ${cause.steps && sure && !cause.fix
        ? html`<p class="small muted">${line(say("by_hand_steps", { page: cause.page }))}</p>
            <div class="quote">${block(cause.steps)}</div>`
        : nothing}
    </li>`;
  }

  private evidence(story: Story): TemplateResult {
    const { say } = this;
    return html`<section class="panel" aria-labelledby="evidence">
      <h2 id="evidence">${say("evidence")} <span class="muted">${say("evidence_count", { n: story.observations.length })}</span></h2>
      ${story.observations.length === 0
        ? html`<p class="inside muted">${say("no_evidence")}</p>`
        : html`<ul class="observations">
            ${story.observations.map((one) => this.observation(one))}
          </ul>`}
    </section>`;
  }

  private observation(one: Observation): TemplateResult {
    const { say } = this;
    const service = String(one.args["service"] ?? "");
    return html`<li id=${one.id} tabindex="-1">
      <details>
        <summary>
          <span class="badge mono">${line(one.id)}</span>
          <span class="what"><code>${line(one.tool)}</code> <b>${line(service)}</b></span>
          <span class="says ${one.made ? "" : "not"}">${one.made ? line(one.says) : html`${icon("warn")} ${say("not_made")}: ${line(one.error ?? "")}`}</span>
          <span class="muted small number">
            <time datetime=${one.at} title=${localTime(one.at, this.locale)}>${clockTime(one.at, this.locale)}</time> · ${took(one.took_ms, this.locale)}
          </span>
        </summary>
        <div class="raw">
          <p class="muted small">${say("asked_with")} <code>${line(JSON.stringify(one.args))}</code> · ${line(one.server)}</p>
          <p class="muted small">${say("raw")}</p>
          <pre tabindex="0" role="region" aria-label=${say("raw_of", { id: one.id })}>${block(JSON.stringify(one.made ? one.result : { error: one.error }, null, 2))}</pre>
        </div>
      </details>
    </li>`;
  }

  private sources(story: Story): TemplateResult {
    const { say } = this;
    return html`<section class="panel" aria-labelledby="sources">
      <h2 id="sources">${say("sources")}</h2>
      ${story.sources.length === 0
        ? html`<p class="inside muted">${say("no_sources")}</p>`
        : html`<ul class="sources">
            ${story.sources.map((one) => this.source(one))}
          </ul>`}
    </section>`;
  }

  private source(one: Source): TemplateResult {
    const { say } = this;
    return html`<li>
      <details>
        <summary>
          <span class="badge mono">${one.n}</span>
          <span class="what"><code>${line(one.page)}</code> <b>${line(one.title)}</b></span>
          <span class="tags">
            ${one.executable ? html`<span class="badge accent">${say("executable")}</span>` : nothing}
            ${one.relevant ? nothing : html`<span class="badge">${say("not_relevant")}</span>`}
          </span>
        </summary>
        <div class="raw">
          ${one.passages.map(
            (passage) => html`<h3>${line(passage.heading)}</h3>
              <div class="quote">${block(passage.text)}</div>`,
          )}
          <p class="muted small">${line(say("content_digest", { digest: one.digest.slice(0, 19) }))}</p>
        </div>
      </details>
    </li>`;
  }

  private similar(story: Story): TemplateResult | typeof nothing {
    const { say } = this;
    if (story.similar.length === 0) return nothing;
    return html`<section class="panel" aria-labelledby="similar">
      <h2 id="similar">${say("similar")}</h2>
      <ul class="similar inside">
        ${story.similar.map(
          (one) => html`<li>
            <p>
              <code>${line(one.ticket)}</code> <b>${line(one.subject)}</b>
              ${one.verified ? html`<span class="badge ok">${icon("check")} ${say("verified_solution")}</span>` : nothing}
            </p>
            <p>${line(one.solution)}</p>
            <p class="muted small">${say("solved", { at: localTime(one.solved_at, this.locale) })}</p>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  private record(story: Story): TemplateResult {
    const { say } = this;
    return html`<section class="panel" aria-labelledby="record">
      <h2 id="record">${say("record")}</h2>
      <div class="inside">
        <p class="muted">${say("record_more")}</p>
        ${this.journalHead ? html`<p>${say("journal_head")} <code>${this.journalHead}</code></p>` : nothing}
        ${story.notes.map(
          (note) => html`<details>
            <summary>
              ${say("notes")}, ${localTime(note.at, this.locale)}${note.written ? nothing : html` <span class="badge warn">${icon("wait")} ${say("note_pending")}</span>`}
            </summary>
            <div class="quote">${block(note.text)}</div>
          </details>`,
        )}
        <p class="download">
          <button class="button" type="button" @click=${this.download}>${icon("file")} ${say("download_record")}</button>
          ${this.failed ? html`<span role="alert">${line(this.failed)}</span>` : nothing}
        </p>
      </div>
    </section>`;
  }

  private moment(one: Moment, story: Story): TemplateResult {
    const { say } = this;
    return html`<li class=${one.tone}>
      <span class="dot">${icon(one.icon)}</span>
      <div>
        <p>
          <b>${say(one.title)}</b>${one.who ? html` <span>${line(one.who)}</span>` : nothing}
          <time class="muted small number" datetime=${one.at} title=${localTime(one.at, this.locale)}>${clockTime(one.at, this.locale)}</time>
        </p>
        ${one.says ? html`<p>${line(one.says)}</p>` : nothing} ${one.state ? html`<p>${say(`incident.${one.state}`)}</p>` : nothing}
        ${one.reason ? html`<p class="muted">${line(say("reason", { reason: one.reason }))}</p>` : nothing} ${this.detail(one, story)}
        ${one.digest ? html`<p class="muted small"><code>${one.digest.slice(7, 19)}</code></p>` : nothing}
      </div>
    </li>`;
  }

  private detail(one: Moment, story: Story): unknown {
    const { say } = this;
    switch (one.shows) {
      case "body":
        return story.body ? html`<div class="quote small">${block(story.body)}</div>` : nothing;
      case "read":
        return html`<p class="muted">${say("read_says", { n: story.sources.filter((source) => source.relevant).length })}</p>`;
      case "looked": {
        const failed = story.observations.filter((seen) => !seen.made).length;
        return html`<p class="muted">
          ${say("looked_says", { n: story.observations.length })} ${failed > 0 ? say("looked_failed", { n: failed }) : nothing}
        </p>`;
      }
      case "diagnosis":
        return story.diagnosis ? html`<p>${line(story.diagnosis.says)}</p>` : nothing;
      case "note":
        return html`<p class="muted">${say(one.written ? "note_written" : "note_due")}</p>`;
      case "checks": {
        const card = story.proposals.find((each) => each.digest === one.digest) ?? story.proposals.at(-1);
        return card?.outcome ? checks(card.outcome.checks, { say: cardWords(this.locale) }) : nothing;
      }
      default:
        return nothing;
    }
  }

  private chat(story: Story): TemplateResult {
    const { say } = this;
    return html`<aside class="panel talk" aria-label=${say("chat_title", { id: story.incident.id })} @keydown=${this.onChatKey}>
      <h2>
        ${say("chat_title", { id: story.incident.id })}
        <button class="button quiet small" type="button" @click=${this.talk}>${icon("close")} ${say("close")}</button>
      </h2>
      <countersign-chat
        inline
        .api=${this.api}
        .thread=${this.conversation}
        .incident=${this.conversation ? "" : this.incident}
        .locale=${this.locale}
        .person=${this.me?.person ?? ""}
      ></countersign-chat>
    </aside>`;
  }

  private readonly talk = (): void => {
    if (this.talking) {
      this.talking = false;
      return;
    }
    this.openChat();
  };

  /** The conversation to go on with; empty for a new one about this incident. */
  private get conversation(): string {
    return this.thread || (this.data?.threads[0] ?? "");
  }

  private openChat(): void {
    this.talking = true;
    void import("../chat/chat")
      .then(() => this.updateComplete)
      .then(() => this.renderRoot.querySelector<HTMLElement>("countersign-chat")?.focus());
  }

  private readonly onChatKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    this.talking = false;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(".title .button")?.focus());
  };

  /** Open a piece of evidence and go to it. */
  private show(event: Event, id: string): void {
    event.preventDefault();
    const found = this.renderRoot.querySelector<HTMLElement>(`[id="${CSS.escape(id)}"]`);
    found?.querySelector("details")?.setAttribute("open", "");
    found?.scrollIntoView({ block: "center" });
    found?.focus({ preventScroll: true });
  }

  private readonly download = async (): Promise<void> => {
    this.failed = "";
    try {
      const record = await this.api.record(this.incident);
      const url = URL.createObjectURL(new Blob([JSON.stringify(record, null, 2)], { type: "application/json" }));
      const link = document.createElement("a");
      link.href = url;
      link.download = `${this.incident}.json`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    } catch {
      this.failed = this.say("failed");
    }
  };

}

customElements.define("countersign-incident", CountersignIncident);
