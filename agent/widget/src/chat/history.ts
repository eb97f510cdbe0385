/** Earlier conversations of the person, newest first. */
import { LitElement, type PropertyValues, type TemplateResult, css, html } from "lit";
import { property, state } from "lit/decorators.js";
import type { Api } from "../api";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import { base } from "../theme";
import { age, localTime } from "../time";
import type { Locale, ThreadSummary } from "../types";
import { words } from "./words";

export class History extends LitElement {
  static override styles = [
    ...base,
    css`
      :host {
        flex: 1;
        min-block-size: 0;
        overflow-y: auto;
      }
      .root {
        max-inline-size: 820px;
        margin-inline: auto;
        padding: 12px;
      }
      .top {
        display: flex;
        align-items: center;
        gap: 6px;
        margin-block-end: 8px;
      }
      h3 {
        font-size: 1em;
        font-weight: 650;
      }
      ul {
        display: grid;
        gap: 2px;
        padding: 0;
        list-style: none;
      }
      .one {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 0 12px;
        inline-size: 100%;
        min-block-size: 44px;
        padding: 7px 10px;
        border: 0;
        border-radius: var(--_radius-small);
        background: none;
        text-align: start;
        cursor: pointer;
      }
      .one:hover,
      .one[aria-current="true"] {
        background: var(--_hover);
      }
      .title {
        overflow: hidden;
        font-weight: 500;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .when,
      .about {
        color: var(--_muted);
        font-size: 0.9em;
      }
    `,
  ];

  @property({ attribute: false }) api: Api | null = null;
  @property() current = "";
  @property() locale: Locale = "en";
  @state() private threads: ThreadSummary[] | null = null;
  @state() private failed = false;

  protected override firstUpdated(_changes: PropertyValues): void {
    void this.load();
    this.renderRoot.querySelector<HTMLElement>("button")?.focus();
  }

  private async load(): Promise<void> {
    this.failed = false;
    try {
      this.threads = (await this.api?.threads()) ?? [];
    } catch {
      this.failed = true;
    }
  }

  protected override render(): TemplateResult {
    const say = words(this.locale);
    return html`<div class="root" @keydown=${this.onKey}>
      <div class="top">
        <button type="button" class="button quiet icon" aria-label=${say("back")} @click=${(): void => this.choose("")}>${icon("back")}</button>
        <h3>${say("history")}</h3>
      </div>
      ${this.failed
        ? html`<p class="note warn">
            ${say("history.failed")} <button class="button small" @click=${(): void => void this.load()}>${say("again")}</button>
          </p>`
        : this.threads === null
          ? html`<span class="spinner" role="img" aria-label=${say("loading")}></span>`
          : this.threads.length === 0
            ? html`<p class="muted">${say("history.empty")}</p>`
            : html`<ul>
                ${this.threads.map((thread) => html`<li>${this.one(thread)}</li>`)}
              </ul>`}
    </div>`;
  }

  private one(thread: ThreadSummary): TemplateResult {
    const say = words(this.locale);
    return html`<button
      type="button"
      class="one"
      aria-current=${thread.id === this.current}
      @click=${(): void => this.choose(thread.id)}
    >
      <span class="title">${line(thread.title || say("history.untitled"))}</span>
      <span class="when" title=${localTime(thread.updated_at, this.locale)}>${age(thread.updated_at, Date.now(), this.locale)}</span>
      <span class="about">${thread.incident ? say("menu_about", { incident: thread.incident }) : ""}</span>
    </button>`;
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.preventDefault();
    this.choose("");
  };

  /** "" goes back without a choice. */
  private choose(thread: string): void {
    this.dispatchEvent(new CustomEvent("choose", { detail: thread }));
  }
}

customElements.define("countersign-history", History);
