/** The list of incidents, with a filter that stands in the address. */
import { type PropertyValues, type TemplateResult, css, html, nothing } from "lit";
import { property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { icon } from "../card/icons";
import { INCIDENT_STATES } from "../card/states";
import { line } from "../card/strings";
import { age, localTime } from "../time";
import type { ConsoleEvent, Incident } from "../types";
import { Room } from "./room";
import { hash } from "./route";
import { stateOf } from "./state";

/** States in which an incident can be found; the passing ones are not worth a filter of their own. */
const FILTERS = INCIDENT_STATES.filter((state) => !["approved", "executed", "superseded", "fix"].includes(state));
const TYPING_MS = 250;

interface List {
  incidents: Incident[];
  total: number;
  services: string[];
}

export class CountersignIncidents extends Room<List> {
  static override styles = [
    ...Room.styles,
    css`
      .table {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr) max-content max-content max-content;
        border: 1px solid var(--_border);
        border-radius: var(--_radius);
        background: var(--_raised);
      }
      .row {
        display: grid;
        position: relative;
        grid-template-columns: subgrid;
        grid-column: 1 / -1;
        align-items: baseline;
        gap: 0 20px;
        padding: 10px 18px;
        border-block-start: 1px solid var(--_border);
      }
      .row.header {
        border-block-start: 0;
        color: var(--_muted);
        font-size: 0.89em;
        font-weight: 600;
      }
      .row:not(.header):hover {
        background: var(--_hover);
      }
      .table [role="rowgroup"] {
        display: contents;
      }
      .row:last-child {
        border-end-start-radius: var(--_radius);
        border-end-end-radius: var(--_radius);
      }
      .subject a {
        color: var(--_text);
        font-weight: 600;
        text-decoration: none;
      }
      .subject a::after {
        content: "";
        position: absolute;
        inset: 0;
      }
      .subject a:hover {
        text-decoration: underline;
      }
      .subject a:focus-visible {
        outline: none;
      }
      .row:has(a:focus-visible) {
        outline: 2px solid var(--_ring);
        outline-offset: -2px;
      }
      .subject .muted {
        display: block;
      }
      @media (max-width: 760px) {
        .table {
          display: block;
        }
        .row {
          grid-template-columns: minmax(0, 1fr) max-content;
          gap: 2px 12px;
          padding: 12px 14px;
        }
        .row.header {
          display: none;
        }
        .subject {
          grid-column: 1 / -1;
          grid-row: 1;
        }
        .service {
          grid-column: 1;
        }
        .ticket,
        .none {
          display: none;
        }
        .changed {
          grid-column: 2;
          grid-row: 2;
        }
      }
    `,
  ];

  @property({ attribute: false }) filter = { state: "", service: "", q: "" };

  private typing: ReturnType<typeof setTimeout> | undefined;
  private services = new Set<string>();

  protected override async ask(): Promise<List> {
    const { incidents, total } = await this.api.incidents({ ...this.filter, limit: 200 });
    for (const one of incidents) if (one.service) this.services.add(one.service);
    return { incidents, total, services: [...this.services].sort() };
  }

  protected override minds(event: ConsoleEvent): boolean {
    return event.type !== "stop";
  }

  protected override willUpdate(changes: PropertyValues): void {
    super.willUpdate(changes);
    if (changes.has("filter") && this.hasUpdated) void this.load();
  }

  private set(change: Partial<typeof this.filter>): void {
    const to = hash({ room: "incidents", ...this.filter, ...change });
    if (to !== location.hash) location.replace(to);
  }

  private get filtered(): boolean {
    return Object.values(this.filter).some((one) => one !== "");
  }

  protected override head(): TemplateResult {
    const { say, filter } = this;
    const choice = (event: Event): string => (event.target as HTMLSelectElement).value;
    return html`
      <div class="top">
        <h1>${say("incidents")}</h1>
        ${this.data ? html`<span class="muted" role="status">${say("incidents_total", { n: this.data.total })}</span>` : nothing}
      </div>
      <div class="filters" role="search" aria-label=${say("filter")}>
        <label class="search">
          <span class="sr">${say("search_incidents")}</span>
          ${icon("search")}
          <input
            class="field"
            type="search"
            data-search
            placeholder=${say("search_incidents")}
            title=${say("search_hint")}
            .value=${filter.q}
            @input=${(event: Event) => {
              const q = (event.target as HTMLInputElement).value.trim();
              clearTimeout(this.typing);
              this.typing = setTimeout(() => this.set({ q }), TYPING_MS);
            }}
          />
        </label>
        <select class="field" aria-label=${say("filter_state")} @change=${(event: Event) => this.set({ state: choice(event) })}>
          <option value="" ?selected=${filter.state === ""}>${say("any_state")}</option>
          ${FILTERS.map((one) => html`<option value=${one} ?selected=${one === filter.state}>${say(`incident.${one}`)}</option>`)}
        </select>
        <select class="field" aria-label=${say("filter_service")} @change=${(event: Event) => this.set({ service: choice(event) })}>
          <option value="" ?selected=${filter.service === ""}>${say("any_service")}</option>
          ${[...new Set([...(this.data?.services ?? []), ...(filter.service ? [filter.service] : [])])].map(
            (one) => html`<option value=${one} ?selected=${one === filter.service}>${one}</option>`,
          )}
        </select>
      </div>
    `;
  }

  protected override draw(data: List): TemplateResult {
    const { say } = this;
    if (data.incidents.length === 0) return this.nothing();
    return html`<div class="table" role="table" aria-label=${say("incidents")}>
      <div role="rowgroup">
        <div class="row header" role="row">
          <span role="columnheader">${say("column_state")}</span>
          <span role="columnheader">${say("column_subject")}</span>
          <span role="columnheader">${say("column_service")}</span>
          <span role="columnheader">${say("column_ticket")}</span>
          <span role="columnheader">${say("column_age")}</span>
        </div>
      </div>
      <div role="rowgroup">
        ${repeat(
          data.incidents,
          (one) => one.id,
          (one) => html`<div class="row" role="row">
            <span class="state" role="cell">${stateOf(one.state, say)}</span>
            <span class="subject" role="cell">
              <a href=${hash({ room: "incident", id: one.id })}>${line(one.subject || one.id)}</a>
              <span class="muted small">${line(one.id)}${one.requester ? html` · ${line(say("reported_by", { who: one.requester }))}` : nothing}</span>
            </span>
            <span class="service" role="cell">${one.service ? html`<code>${line(one.service)}</code>` : html`<span class="muted none">–</span>`}</span>
            <span class="ticket number" role="cell">${one.ticket ? line(one.ticket) : html`<span class="muted">–</span>`}</span>
            <span class="changed muted number" role="cell">
              <time datetime=${one.updated_at} title=${localTime(one.updated_at, this.locale)}>${age(one.updated_at, this.now, this.locale)}</time>
            </span>
          </div>`,
        )}
      </div>
    </div>`;
  }

  private nothing(): TemplateResult {
    const { say } = this;
    if (this.filtered)
      return html`<div class="panel empty">
        ${icon("search")}
        <p><b>${say("none_match")}</b></p>
        <a class="button" href="#/incidents">${say("clear_filter")}</a>
      </div>`;
    return html`<div class="panel empty">
      ${icon("list")}
      <p><b>${say("none_yet")}</b></p>
      <p class="muted">${say("none_yet_more")}</p>
      ${this.me?.demo
        ? html`<p class="muted">${say("none_yet_demo")}</p>
            <a class="button primary" href="#/lab">${say("to_lab")}</a>`
        : nothing}
    </div>`;
  }
}

customElements.define("countersign-incidents", CountersignIncidents);
