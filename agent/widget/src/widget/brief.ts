/**
 * The card on a page of others: what would run, what it changes, how it stands. It holds no control that decides, so a script of that
 * page that clicks inside gains nothing; the whole card, and the deciding, are on the card's own page.
 */
import { LitElement, type TemplateResult, css, html, nothing } from "lit";
import type { Api } from "../api";
import { icon, riskIcon, toneIcon } from "../card/icons";
import { tone } from "../card/states";
import { block, line } from "../card/strings";
import { room } from "../text";
import { de } from "../text/de/brief";
import { en } from "../text/en/brief";
import { base } from "../theme";
import { localTime } from "../time";
import type { Card, Locale } from "../types";

const words = room(en, de);

export class BriefCard extends LitElement {
  static override styles = [
    ...base,
    css`
      article {
        display: grid;
        gap: 8px;
        padding: 12px 14px;
        border: 1px solid var(--_border);
        border-block-start: 3px solid var(--_accent);
        border-radius: var(--_radius);
        background: var(--_raised);
      }
      .high {
        border-block-start-color: var(--_danger);
      }
      .medium {
        border-block-start-color: var(--_warn);
      }
      .top,
      .state {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 4px 8px;
      }
      .state {
        font-weight: 600;
      }
      h3 {
        font-size: 1.14em;
        font-weight: 650;
        line-height: 1.3;
      }
      dl {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr);
        gap: 4px 14px;
      }
      dt {
        color: var(--_muted);
      }
      summary {
        cursor: pointer;
      }
      pre {
        margin-block-start: 6px;
        padding: 8px 10px;
        border-radius: var(--_radius-small);
        background: var(--_code);
        white-space: pre-wrap;
      }
    `,
  ];

  static override properties = { card: { attribute: false }, api: { attribute: false }, locale: {} };
  declare card: Card | null;
  declare api: Api | null;
  declare locale: Locale;

  protected override render(): TemplateResult | typeof nothing {
    const { card } = this;
    if (!card) return nothing;
    const say = words(this.locale);
    const row = (name: string, what: unknown): TemplateResult => html`<dt>${name}</dt><dd>${what}</dd>`;
    const { decision, outcome, risk } = card;
    const open = card.state === "awaiting";
    return html`<div class="root">
      <article class=${risk.level} role="group" aria-labelledby="heading">
        <div class="top">
          <span class="state">${toneIcon(tone(card.state))} ${say(`state.${card.state}`)}</span>
          ${open ? html`<span class="muted">${say("until", { at: localTime(card.expires_at, this.locale) })}</span>` : nothing}
        </div>
        <h3 id="heading">${line(card.headline)}</h3>
        <div class="top">
          <span class="badge">${riskIcon(risk.level)} ${say(`risk.${risk.level}`)}</span>
          <span class="badge">${line(`${card.target.name} · ${card.target.environment}`)}</span>
          <span class="muted">${line([card.incident, card.ticket].filter(Boolean).join(" · "))}</span>
        </div>
        ${card.hidden_characters ? html`<p class="note danger">${say("hidden")}</p>` : nothing}
        <dl>
          ${row(
            say("changes"),
            card.effect.length === 0
              ? say("no_preview")
              : card.effect.map((one) => html`<div>${line(one.name)}: ${line(one.before)} ${icon("arrow")} ${line(one.after)}</div>`),
          )}
          ${row(say("risk"), line(risk.why))} ${row(say("undo"), line(card.undo.says))}
          ${open ? row(say("may"), line(card.may_approve.join(", "))) : nothing}
          ${decision
            ? row(say("decided"), line(`${say("by", { by: decision.by, at: localTime(decision.at, this.locale) })} ${decision.reason}`))
            : nothing}
          ${outcome?.reason ? row(say("said"), line(outcome.reason)) : nothing}
          ${row(say("fingerprint"), html`<code>${card.short}</code>`)}
        </dl>
        <details>
          <summary>${say("exact")}</summary>
          <pre dir="ltr" tabindex="0">${block(card.exact)}</pre>
        </details>
        <div class="top">
          <a
            class="button ${open ? "primary" : ""}"
            href="${this.api?.endpoint ?? ""}/approvals/${encodeURIComponent(card.digest)}"
            target="_blank"
            rel="noopener"
            >${icon("open")} ${say(open ? "open" : "look")}</a
          >
          <span class="muted">${open ? say("elsewhere") : nothing}</span>
        </div>
      </article>
    </div>`;
  }
}

if (!customElements.get("countersign-card")) customElements.define("countersign-card", BriefCard);
