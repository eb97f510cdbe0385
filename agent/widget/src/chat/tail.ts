/** What a reader can do with a finished answer: copy it, say whether it was useful and why not. */
import { LitElement, type TemplateResult, css, html } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../card/announce";
import { icon } from "../card/icons";
import { harmless } from "../markdown";
import { base } from "../theme";
import type { Locale } from "../types";
import { copyText } from "./answer";
import { sign } from "./icons";
import { words } from "./words";

export class Tail extends LitElement {
  static override styles = [
    ...base,
    css`
      .row {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 2px;
        margin-inline-start: -8px;
      }
      .button[aria-pressed="true"] {
        background: var(--_accent-soft);
        color: var(--_accent);
      }
      form {
        display: grid;
        gap: 8px;
        margin-block-start: 6px;
        padding: 10px;
        border: 1px solid var(--_border);
        border-radius: var(--_radius-small);
        background: var(--_surface);
      }
      textarea {
        resize: vertical;
      }
      .thanks {
        padding-inline: 8px;
        color: var(--_muted);
        font-size: 0.93em;
      }
    `,
  ];

  @property() text = "";
  @property() run = "";
  @property() locale: Locale = "en";
  @property({ attribute: false }) give: (run: string, useful: boolean, why?: string) => Promise<void> = () => Promise.resolve();
  @state() private said: boolean | null = null;
  @state() private asking = false;
  @state() private note = "";
  @state() private copied = false;

  protected override render(): TemplateResult {
    const say = words(this.locale);
    return html`<div class="root">
      <div class="row">
        <button type="button" class="button quiet small" aria-label=${say("copy.answer")} @click=${this.copy}>
          ${icon(this.copied ? "check" : "copy")} ${say(this.copied ? "copied" : "copy")}
        </button>
        <button type="button" class="button quiet small" aria-pressed=${this.said === true} @click=${(): void => void this.judge(true)}>
          ${sign("up")} ${say("useful")}
        </button>
        <button
          type="button"
          class="button quiet small"
          aria-pressed=${this.said === false}
          aria-expanded=${this.asking}
          @click=${(): void => void this.judge(false)}
        >
          ${sign("worse")} ${say("useful.not")}
        </button>
        <span class="thanks">${this.note}</span>
      </div>
      ${this.asking
        ? html`<form @submit=${this.explain}>
            <label for="why">${say("useful.why")}</label>
            <textarea id="why" class="field" name="why" rows="2" maxlength="500" dir="auto" @keydown=${this.onKey}></textarea>
            <div><button class="button small">${say("useful.send")}</button></div>
          </form>`
        : ""}
    </div>`;
  }

  private readonly copy = async (): Promise<void> => {
    if (!(await copyText(harmless(this.text), words(this.locale)("copied")))) return;
    this.copied = true;
    setTimeout(() => {
      this.copied = false;
    }, 2000);
  };

  private async judge(useful: boolean): Promise<void> {
    if (this.said === useful) {
      this.asking = !useful && !this.asking;
      return;
    }
    this.said = useful;
    this.asking = !useful;
    await this.tell(useful);
    if (this.asking) this.renderRoot.querySelector<HTMLElement>("textarea")?.focus();
  }

  private readonly explain = (event: SubmitEvent): void => {
    event.preventDefault();
    const why = String(new FormData(event.target as HTMLFormElement).get("why") ?? "").trim();
    this.asking = false;
    if (why) void this.tell(false, why);
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.preventDefault();
    this.asking = false;
  };

  private async tell(useful: boolean, why?: string): Promise<void> {
    const say = words(this.locale);
    try {
      await this.give(this.run, useful, why);
      this.note = useful || why ? say("useful.thanks") : "";
    } catch {
      this.note = say("useful.failed");
      this.said = null;
    }
    announce(this.note);
  }
}

customElements.define("countersign-tail", Tail);
