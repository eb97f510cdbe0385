/** The cards that wait for a decision, the most pressing first. */
import { type TemplateResult, css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { secondsUntil, urgency } from "../card/clock";
import { icon } from "../card/icons";
import { riskBadge } from "../card/sections";
import { line } from "../card/strings";
import { words as cardWords } from "../card/words";
import { countdown, localTime, offsetOf } from "../time";
import type { Card, ConsoleEvent } from "../types";
import { Room } from "./room";

const TICK_MS = 1000;

export class CountersignWaiting extends Room<Card[]> {
  static override styles = [
    ...Room.styles,
    css`
      .cards {
        display: grid;
        gap: 12px;
      }
      .card {
        display: grid;
        position: relative;
        grid-template-columns: minmax(0, 1fr) max-content;
        gap: 6px 24px;
        align-items: center;
        padding: 16px 18px;
        border: 1px solid var(--_border);
        border-inline-start: 3px solid var(--_accent);
        border-radius: var(--_radius);
        background: var(--_raised);
      }
      .card.medium {
        border-inline-start-color: var(--_warn);
      }
      .card.high {
        border-inline-start-color: var(--_danger);
      }
      .facts {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 4px 8px;
        margin-block-start: 8px;
      }
      .do {
        display: grid;
        justify-items: end;
        gap: 8px;
      }
      .left {
        display: inline-flex;
        align-items: center;
        gap: 5px;
        color: var(--_muted);
      }
      .left.soon {
        color: var(--_warn);
        font-weight: 600;
      }
      .left.last {
        color: var(--_danger);
        font-weight: 700;
      }
      @media (max-width: 640px) {
        .card {
          grid-template-columns: minmax(0, 1fr);
        }
        .do {
          grid-template-columns: max-content 1fr;
          align-items: center;
          justify-items: stretch;
        }
        .do .button {
          min-block-size: 40px;
        }
      }
    `,
  ];

  private offset = 0;
  private tick: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.tick = setInterval(() => this.requestUpdate(), TICK_MS);
  }

  override disconnectedCallback(): void {
    clearInterval(this.tick);
    super.disconnectedCallback();
  }

  protected override async ask(): Promise<Card[]> {
    const cards = (await this.api.proposals("awaiting")).filter((card) => card.headline);
    if (cards[0]) this.offset = offsetOf(cards[0].now);
    return cards.sort((one, other) => one.expires_at.localeCompare(other.expires_at));
  }

  protected override minds(event: ConsoleEvent): boolean {
    return event.type !== "incident";
  }

  protected override head(): TemplateResult {
    return html`<div class="top"><h1>${this.say("waiting")}</h1></div>`;
  }

  protected override draw(cards: Card[]): TemplateResult {
    const { say } = this;
    if (cards.length === 0)
      return html`<div class="panel empty">
        ${icon("good")}
        <p><b>${say("waiting_none")}</b></p>
        <p class="muted">${say("waiting_none_more")}</p>
      </div>`;
    const now = Date.now() + this.offset;
    const look = { say: cardWords(this.locale) };
    return html`<ul class="cards">
      ${repeat(
        cards,
        (card) => card.digest,
        (card) => {
          const left = secondsUntil(card.expires_at, now);
          const mine = card.you?.may_approve === true;
          return html`<li class="card ${card.risk.level}">
            <div>
              <h2>${line(card.headline)}</h2>
              <p class="muted">
                <a href=${`#/incidents/${encodeURIComponent(card.incident)}`}>${line(card.incident)}</a>${card.ticket ? html` · ${line(card.ticket)}` : nothing}
                · ${line(card.subject)} · ${line(say("reported_by", { who: card.requester }))}
              </p>
              <p class="facts">
                ${riskBadge(card, look)}
                <span class="badge"><code>${line(card.target.name)}</code>${card.target.environment ? html` · ${line(card.target.environment)}` : nothing}</span>
                ${mine
                  ? html`<span class="badge ok">${icon("check")} ${say("yours")}</span>`
                  : html`<span class="muted small">${line(say("not_yours", { names: card.may_approve.join(", ") || "–" }))}</span>`}
              </p>
            </div>
            <div class="do">
              <span class="left ${urgency(left)}" title=${localTime(card.expires_at, this.locale)}>
                ${icon("wait")}
                <span class="number">${left > 0 ? say("expires_in", { clock: countdown(card.expires_at, now) }) : say("expired_now")}</span>
              </span>
              <a class="button ${mine ? "primary" : ""}" href=${`/approvals/${encodeURIComponent(card.digest)}`}
                >${say("look_and_decide")}<span class="sr">: ${card.headline}</span></a
              >
            </div>
          </li>`;
        },
      )}
    </ul>`;
  }
}

customElements.define("countersign-waiting", CountersignWaiting);
