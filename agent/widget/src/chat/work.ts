/** What a run looked at: a line that says how it goes, and folded under it every check. */
import { LitElement, type TemplateResult, css, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import type { Check, ItemOf } from "../conversation";
import { base } from "../theme";
import { took } from "../time";
import type { Locale } from "../types";
import { type ChatWords, stepName, words } from "./words";

export class Work extends LitElement {
  static override styles = [
    ...base,
    css`
      .line {
        display: flex;
        align-items: center;
        gap: 8px;
        max-inline-size: 100%;
        min-block-size: 28px;
        margin-inline-start: -8px;
        padding: 2px 8px;
        border: 0;
        border-radius: var(--_radius-small);
        background: none;
        color: var(--_muted);
        text-align: start;
        cursor: pointer;
      }
      .line:hover {
        background: var(--_hover);
        color: var(--_text);
      }
      .line[disabled] {
        background: none;
        cursor: default;
      }
      .fold {
        display: flex;
        transition: transform 0.12s;
      }
      [aria-expanded="false"] .fold {
        transform: rotate(-90deg);
      }
      [aria-expanded="false"] .fold:dir(rtl) {
        transform: rotate(90deg);
      }
      .unmade {
        color: var(--_warn);
      }
      ul {
        margin-block-start: 2px;
        margin-inline-start: 7px;
        padding: 0;
        border-inline-start: 1px solid var(--_border);
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: 16px minmax(0, 1fr) auto;
        gap: 0 8px;
        padding: 4px 0;
        padding-inline-start: 12px;
        font-size: 0.93em;
        line-height: 1.45;
      }
      li > .icon-16,
      li > .spinner {
        margin-block-start: 2px;
      }
      /* That a check was made says nothing about what it found. */
      .made {
        color: var(--_muted);
      }
      .failed {
        color: var(--_warn);
      }
      .where {
        color: var(--_muted);
        white-space: nowrap;
      }
      .what {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0 6px;
      }
      .tool {
        font-weight: 600;
      }
      .id {
        color: var(--_muted);
        font-size: 0.86em;
        font-weight: 600;
      }
      .says {
        grid-column: 2 / -1;
        color: var(--_muted);
      }
      @media (max-width: 480px) {
        .where .on {
          display: none;
        }
      }
    `,
  ];

  @property({ attribute: false }) item: ItemOf<"work"> | null = null;
  @property() locale: Locale = "en";
  @state() private unfolded: boolean | null = null;

  protected override render(): TemplateResult | typeof nothing {
    const { item } = this;
    if (!item) return nothing;
    const say = words(this.locale);
    const open = this.unfolded ?? !item.done;
    const none = item.checks.length === 0;
    if (none && item.done) return nothing;
    return html`<div class="root">
      ${none
        ? html`<div class="line" disabled>${this.sign(item)}<span>${this.summary(item, say)}</span></div>`
        : html`<button
              type="button"
              class="line"
              aria-expanded=${open}
              aria-controls="checks"
              @click=${(): void => {
                this.unfolded = !open;
              }}
            >
              ${this.sign(item)}<span>${this.summary(item, say)}</span><span class="fold">${icon("down")}</span>
            </button>
            <ul id="checks" ?hidden=${!open}>
              ${open ? item.checks.map((check) => this.check(check, say)) : nothing}
            </ul>`}
    </div>`;
  }

  private sign(item: ItemOf<"work">): TemplateResult {
    return item.done ? icon("pulse") : html`<span class="spinner" aria-hidden="true"></span>`;
  }

  private summary(item: ItemOf<"work">, say: ChatWords): unknown {
    if (!item.done) {
      const step = item.steps.findLast((one) => one.state === "running") ?? item.steps.at(-1);
      return step ? stepName(step.name, say) : say("work.running");
    }
    const made = item.checks.length;
    const unmade = item.checks.filter((check) => check.state === "failed").length;
    return html`${say("work.done", { n: made })}${unmade > 0
      ? html`, <span class="unmade">${say("work.unmade", { n: unmade })}</span>`
      : nothing}`;
  }

  private check(check: Check, say: ChatWords): TemplateResult {
    const sign = {
      running: html`<span class="spinner" aria-hidden="true"></span>`,
      made: html`<span class="made">${icon("check")}</span>`,
      failed: html`<span class="failed">${icon("warn")}</span>`,
    }[check.state];
    return html`<li>
      ${sign}
      <span class="what">
        <span class="tool">${line(check.tool.replaceAll("_", " "))}</span>
        <code class="muted" dir="ltr">${line(subject(check.args))}</code>
        ${check.evidence ? html`<span class="id">${check.evidence}</span>` : nothing}
        <span class="sr">${say(`check.${check.state}`)}</span>
      </span>
      <span class="where number"
        >${check.server ? html`<span class="on">${say("check.server", { server: check.server })}${check.ms === null ? "" : " · "}</span>` : nothing}${check.ms === null
          ? nothing
          : took(check.ms, this.locale)}</span
      >
      ${check.says ? html`<span class="says">${line(check.says)}</span>` : nothing}
    </li>`;
  }
}

/** What a check was about, from its arguments: the values, the service first; while they still arrive, nothing. */
export function subject(args: string): string {
  let given: unknown;
  try {
    given = JSON.parse(args);
  } catch {
    return "";
  }
  if (typeof given !== "object" || given === null) return "";
  const { service, ...rest } = given as Record<string, unknown>;
  const values = [service, ...Object.values(rest)].filter((value) => value !== undefined && value !== null && value !== "");
  return values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" ");
}

customElements.define("countersign-work", Work);
