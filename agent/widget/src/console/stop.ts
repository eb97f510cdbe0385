/** The stop switch: what is to be stopped, why, and one more yes. And the banner that says what stands still. */
import { LitElement, type PropertyValues, type TemplateResult, css, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { type Api, Problem } from "../api";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import { base } from "../theme";
import { localTime } from "../time";
import type { Locale, Me, StopLevel } from "../types";
import { type ConsoleWords, words } from "./words";

const LEVELS: readonly StopLevel[] = ["effects", "model", "intake"];

export class CountersignStop extends LitElement {
  static override styles = [
    ...base,
    css`
      dialog {
        inline-size: min(480px, calc(100vw - 32px));
        padding: 0;
        border: 1px solid var(--_border);
        border-radius: var(--_radius);
        background: var(--_raised);
        color: var(--_text);
        box-shadow: var(--_shadow);
      }
      dialog::backdrop {
        background: rgb(10 14 20 / 45%);
      }
      form {
        display: grid;
        gap: 14px;
        padding: 20px;
      }
      h2 {
        font-size: 1.2em;
      }
      fieldset {
        display: grid;
        gap: 2px;
        margin: 0;
        padding: 0;
        border: 0;
      }
      legend {
        margin-block-end: 6px;
        padding: 0;
        font-weight: 600;
      }
      .level {
        display: grid;
        grid-template-columns: 24px minmax(0, 1fr);
        gap: 4px;
        padding: 8px;
        border-radius: var(--_radius-small);
        cursor: pointer;
      }
      .level:hover {
        background: var(--_hover);
      }
      .level input {
        inline-size: 16px;
        block-size: 16px;
        margin: 3px 0 0;
        accent-color: var(--_fill);
      }
      .level b {
        display: block;
      }
      .reason span {
        display: block;
        margin-block-end: 4px;
      }
      .buttons {
        display: flex;
        flex-wrap: wrap;
        justify-content: flex-end;
        gap: 8px;
      }
      .button.danger.primary:hover:not(:disabled) {
        background: var(--_danger-fill);
      }
      .wrong {
        color: var(--_danger);
      }
    `,
  ];

  @property({ attribute: false }) api!: Api;
  @property() locale: Locale = "en";

  @state() private resuming: StopLevel | null = null;
  @state() private level: StopLevel = "effects";
  @state() private reason = "";
  @state() private missing = false;
  @state() private failed = "";
  @state() private busy = false;

  private say: ConsoleWords = words("en");

  protected override willUpdate(changes: PropertyValues): void {
    if (changes.has("locale")) this.say = words(this.locale);
  }

  /** Ask what to stop; with a level, whether that may go on. */
  open(resuming: StopLevel | null = null): void {
    this.resuming = resuming;
    this.reason = "";
    this.missing = false;
    this.failed = "";
    void this.updateComplete.then(() => this.dialog?.showModal());
  }

  private get dialog(): HTMLDialogElement | null {
    return this.renderRoot.querySelector("dialog");
  }

  private readonly send = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (this.busy) return;
    this.missing = this.resuming === null && this.reason.trim() === "";
    if (this.missing) {
      this.renderRoot.querySelector<HTMLElement>("textarea")?.focus();
      return;
    }
    this.busy = true;
    try {
      await (this.resuming ? this.api.resume(this.resuming) : this.api.stop(this.level, this.reason.trim()));
      this.dialog?.close();
      this.dispatchEvent(new CustomEvent("countersign-stopped", { bubbles: true, composed: true }));
    } catch (error) {
      this.failed = error instanceof Problem && !error.offline ? error.message : this.say("failed_offline");
    }
    this.busy = false;
  };

  protected override render(): TemplateResult {
    const { say, resuming } = this;
    return html`<div class="root">
      <dialog aria-labelledby="title">
        <form method="dialog" novalidate @submit=${this.send}>
          ${resuming ? this.goOn(resuming) : this.halt()}
          ${this.failed ? html`<p class="wrong" role="alert">${line(this.failed)}</p>` : nothing}
          <div class="buttons">
            <button class="button" type="button" @click=${() => this.dialog?.close()}>${say("cancel")}</button>
            <button class="button primary ${resuming ? "" : "danger"}" type="submit" aria-disabled=${this.busy ? "true" : "false"}>
              ${resuming ? say("go_on_confirm") : say(`stop_do.${this.level}`)}
            </button>
          </div>
        </form>
      </dialog>
    </div>`;
  }

  private goOn(level: StopLevel): TemplateResult {
    const { say } = this;
    return html`<h2 id="title">${say("go_on_title", { what: say(`stop.${level}`) })}</h2>
      <p>${say("go_on_more")}</p>`;
  }

  private halt(): TemplateResult {
    const { say } = this;
    return html`<h2 id="title">${say("stop_title")}</h2>
      <p class="muted">${say("stop_more")}</p>
      <fieldset>
        <legend>${say("stop_which")}</legend>
        ${LEVELS.map(
          (one) => html`<label class="level">
            <input
              type="radio"
              name="level"
              value=${one}
              .checked=${one === this.level}
              @change=${() => {
                this.level = one;
              }}
            />
            <span><b>${say(`stop.${one}`)}</b> <span class="muted">${say(`stop.${one}_more`)}</span></span>
          </label>`,
        )}
      </fieldset>
      <label class="reason">
        <span>${say("stop_reason")}</span>
        <textarea
          class="field"
          rows="2"
          maxlength="300"
          required
          aria-invalid=${this.missing ? "true" : "false"}
          .value=${this.reason}
          @input=${(event: Event) => {
            this.reason = (event.target as HTMLTextAreaElement).value;
            this.missing = false;
          }}
        ></textarea>
        ${this.missing ? html`<span class="wrong" role="alert">${say("stop_reason_missing")}</span>` : nothing}
      </label>`;
  }
}

/** One line for each thing that stands still, with the way to let it go on. */
export function stopped(me: Me | null, say: ConsoleWords, locale: Locale, goOn: (level: StopLevel) => void): unknown {
  const may = me?.permissions.includes("stop") ?? false;
  return LEVELS.filter((level) => me?.stopped[level]).map((level) => {
    const stop = me?.stopped[level];
    return html`<div class="stopped" role="status">
      ${icon("stop")}
      <p>
        <b>${say(`stop_is.${level}`)}</b>
        ${stop ? html`${line(say("stop_by", { by: stop.by, at: localTime(stop.at, locale) }))}${stop.reason ? html` ${line(say("stop_because", { reason: stop.reason }))}` : nothing}` : nothing}
      </p>
      ${may ? html`<button class="button small" type="button" @click=${() => goOn(level)}>${say("go_on")}<span class="sr">: ${say(`stop.${level}`)}</span></button>` : nothing}
    </div>`;
  });
}

export const stoppedStyles = css`
  .stopped {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 6px 12px;
    padding: 8px 20px;
    border-block-end: 1px solid var(--_danger);
    background: var(--_danger-soft);
    color: var(--_text);
  }
  .stopped > .icon-16 {
    color: var(--_danger);
  }
  .stopped p {
    flex: 1 1 240px;
    margin: 0;
  }
`;

customElements.define("countersign-stop", CountersignStop);
