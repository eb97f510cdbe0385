/** Where a person writes. Enter sends, unless an input method is still composing; the draft stays until it has gone. */
import { LitElement, type TemplateResult, css, html, nothing } from "lit";
import { property, query, state } from "lit/decorators.js";
import { base } from "../theme";
import type { Locale } from "../types";
import { sign } from "./icons";
import { words } from "./words";

/** What the server takes at most in one message, in characters. */
export const LONGEST = 20_000;
const WARN_FROM = 0.9;

export class Composer extends LitElement {
  static override styles = [
    ...base,
    css`
      form {
        padding: 10px 12px 8px;
      }
      .box {
        display: flex;
        align-items: flex-end;
        gap: 6px;
        max-inline-size: 796px;
        margin-inline: auto;
        padding: 4px;
        border: 1px solid var(--_border-strong);
        border-radius: var(--_radius);
        background: var(--_background);
      }
      .box:focus-within {
        border-color: var(--_accent);
        outline: 1px solid var(--_accent);
      }
      textarea {
        flex: 1;
        min-inline-size: 0;
        min-block-size: 32px;
        max-block-size: min(200px, 30vh);
        padding: 5px 8px;
        border: 0;
        background: none;
        line-height: 22px;
        resize: none;
        overflow-y: auto;
        scrollbar-width: thin;
      }
      textarea:focus-visible {
        outline: 0;
      }
      textarea::placeholder {
        color: var(--_muted);
        opacity: 1;
      }
      .under {
        display: flex;
        justify-content: space-between;
        gap: 8px;
        max-inline-size: 796px;
        min-block-size: 18px;
        margin: 4px auto 0;
        padding-inline: 4px;
        color: var(--_muted);
        font-size: 0.82em;
      }
      .over {
        color: var(--_danger);
        font-weight: 600;
      }
      .button.icon {
        flex: none;
      }
      /* iOS zooms into a field with smaller letters. */
      @media (max-width: 480px) {
        textarea {
          font-size: 16px;
        }
        form {
          padding-block-end: max(8px, env(safe-area-inset-bottom));
        }
        .under {
          min-block-size: 0;
        }
        .hint {
          display: none;
        }
      }
    `,
  ];

  @property() locale: Locale = "en";
  /** A run goes on: writing is possible, sending is not, stopping is. */
  @property({ type: Boolean }) busy = false;
  @property({ type: Boolean }) stopping = false;
  @property({ type: Boolean }) disabled = false;
  @property({ type: Boolean }) offline = false;
  @state() private draft = "";
  @query("textarea") private field!: HTMLTextAreaElement | null;

  override focus(): void {
    this.field?.focus();
  }

  protected override render(): TemplateResult {
    const say = words(this.locale);
    const over = this.draft.length - LONGEST;
    const near = this.draft.length > LONGEST * WARN_FROM;
    const blocked = this.draft.trim() === "" || over > 0 || this.busy || this.disabled || this.offline;
    const note = this.offline
      ? say("state.offline")
      : over > 0
        ? say("too_long", { n: over })
        : near
          ? say("left", { n: -over })
          : this.busy && this.draft.trim() !== ""
            ? say("state.busy")
            : "";
    return html`<div class="root">
      <form
        @submit=${(event: Event): void => {
          event.preventDefault();
          this.send();
        }}
      >
        <div class="box">
          <textarea
            rows="1"
            aria-label=${say("message")}
            aria-describedby="note"
            aria-invalid=${over > 0 ? "true" : "false"}
            placeholder=${say("placeholder")}
            ?disabled=${this.disabled}
            .value=${this.draft}
            @input=${this.onInput}
            @keydown=${this.onKey}
            enterkeyhint="send"
            autocomplete="off"
            dir="auto"
          ></textarea>
          ${this.busy
            ? html`<button
                type="button"
                class="button icon stop"
                aria-label=${say(this.stopping ? "stopping" : "stop")}
                title=${say("stop")}
                ?disabled=${this.stopping}
                @click=${(): void => void this.dispatchEvent(new CustomEvent("stop"))}
              >
                ${sign("halt")}
              </button>`
            : html`<button type="submit" class="button primary icon" aria-label=${say("send")} title=${say("send")} ?disabled=${blocked}>
                ${sign("send")}
              </button>`}
        </div>
        <div class="under">
          <span id="note" class=${over > 0 ? "over" : nothing}>${note}</span>
          <span class="hint" aria-hidden="true">${note === "" ? say("hint") : nothing}</span>
        </div>
      </form>
    </div>`;
  }

  private send(): void {
    const text = this.draft.trim();
    if (text === "" || text.length > LONGEST || this.busy || this.disabled || this.offline) return;
    this.dispatchEvent(new CustomEvent("send", { detail: text }));
    this.draft = "";
    void this.updateComplete.then(() => this.grow());
  }

  private readonly onInput = (event: Event): void => {
    this.draft = (event.target as HTMLTextAreaElement).value;
    this.grow();
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    // Safari ends a composition with a keydown of code 229 that no longer says isComposing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.send();
  };

  private grow(): void {
    const { field } = this;
    if (!field) return;
    field.style.setProperty("height", "auto");
    field.style.setProperty("height", `${field.scrollHeight}px`);
  }
}

customElements.define("countersign-composer", Composer);
