/** The demo's lab: how it is, what can be broken in it, and where to look then. */
import { type TemplateResult, css, html, nothing } from "lit";
import { state } from "lit/decorators.js";
import { Problem } from "../api";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import type { ConsoleEvent, DemoInfo } from "../types";
import { Room } from "./room";

const LOOK_MS = 5_000;

export class CountersignLab extends Room<DemoInfo> {
  static override styles = [
    ...Room.styles,
    css`
      .two {
        display: grid;
        grid-template-columns: minmax(0, 1.6fr) minmax(0, 1fr);
        gap: 16px;
        align-items: start;
      }
      .side {
        display: grid;
        gap: 16px;
      }
      .side .panel {
        margin: 0;
      }
      .faults > li {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 8px 20px;
        padding: 12px 18px;
        border-block-start: 1px solid var(--_border);
      }
      .faults > li > div {
        flex: 1 1 240px;
      }
      .faults p:first-child {
        display: inline-block;
      }
      .faults p:first-child::first-letter {
        text-transform: uppercase;
      }
      .how {
        display: grid;
        gap: 10px;
        counter-reset: step;
      }
      .how > li {
        display: grid;
        grid-template-columns: 24px minmax(0, 1fr);
        gap: 10px;
        counter-increment: step;
      }
      .how > li::before {
        content: counter(step);
        display: grid;
        place-items: center;
        inline-size: 24px;
        block-size: 24px;
        border-radius: 50%;
        background: var(--_accent-soft);
        color: var(--_accent);
        font-size: 0.89em;
        font-weight: 600;
      }
      .note {
        margin-block-end: 16px;
      }
      .note.accent {
        border-inline-start-color: var(--_accent);
        background: var(--_accent-soft);
      }
      .note .button {
        margin-block-start: 8px;
      }
      @media (max-width: 900px) {
        .two {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  @state() private breaking = "";
  @state() private ticket = "";
  @state() private incident = "";
  @state() private failed = "";
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    // Services get well and ill without the journal saying so.
    this.timer = setInterval(() => {
      if (document.visibilityState === "visible" && this.breaking === "") void this.load();
    }, LOOK_MS);
  }

  override disconnectedCallback(): void {
    clearInterval(this.timer);
    super.disconnectedCallback();
  }

  protected override minds(event: ConsoleEvent): boolean {
    if (event.type === "incident" && this.ticket && !this.incident) void this.findIncident();
    return event.type !== "stop";
  }

  protected override ask(): Promise<DemoInfo> {
    return this.api.demo();
  }

  private async findIncident(): Promise<void> {
    try {
      const { incidents } = await this.api.incidents({ q: this.ticket, limit: 20 });
      this.incident = incidents.find((one) => one.ticket === this.ticket)?.id ?? "";
    } catch {
      this.incident = "";
    }
  }

  private async break(fault: string): Promise<void> {
    if (this.breaking) return;
    this.breaking = fault;
    this.failed = "";
    this.ticket = "";
    this.incident = "";
    try {
      this.ticket = (await this.api.breakSomething(fault)).ticket;
      void this.findIncident();
    } catch (error) {
      this.failed = error instanceof Problem && !error.offline ? error.message : this.say("failed_offline");
    }
    this.breaking = "";
    void this.load();
  }

  protected override head(): TemplateResult {
    const { say } = this;
    return html`<div class="top">
        <h1>${say("lab")}</h1>
        <span role="status">
          ${this.data
            ? html`<span class="badge ${this.data.well ? "ok" : "danger"}">${icon(this.data.well ? "good" : "bad")} ${say(this.data.well ? "lab_well" : "lab_ill")}</span>`
            : nothing}
        </span>
      </div>
      ${this.ticket
        ? html`<div class="note accent" role="status">
            <p><b>${line(say("broken", { ticket: this.ticket }))}</b> ${say("broken_more")}</p>
            <a class="button small" href=${this.incident ? `#/incidents/${encodeURIComponent(this.incident)}` : "#/incidents"}>${icon("arrow")} ${say("follow")}</a>
          </div>`
        : nothing}
      ${this.failed ? html`<p class="note danger" role="alert">${line(this.failed)}</p>` : nothing}`;
  }

  protected override draw(lab: DemoInfo): TemplateResult {
    const { say } = this;
    return html`<div class="two">
      <section class="panel" aria-labelledby="break">
        <h2 id="break">${say("break_title")}</h2>
        <p class="inside muted">${say(lab.well ? "break_more" : "break_when_well")}</p>
        <ul class="faults">
          ${lab.faults.map(
            (one) => html`<li>
              <div>
                <p>${line(one.summary)}</p>
                <p class="muted small"><code>${line(one.name)}</code></p>
              </div>
              <button class="button" type="button" ?disabled=${!lab.well || this.breaking !== ""} @click=${() => void this.break(one.name)}
                >${this.breaking === one.name ? html`<span class="spinner" aria-hidden="true"></span> ${say("breaking")}` : say("break_it")}<span class="sr">: ${one.summary}</span></button
              >
            </li>`,
          )}
        </ul>
      </section>
      <div class="side">
        <section class="panel" aria-labelledby="company">
          <h2 id="company">${say("company")}</h2>
          <div class="inside">
            <p class="muted">${say("lab_more")}</p>
            <p>${say("company_more")}</p>
            ${safe(lab.company)
              ? html`<p><a class="button" href=${lab.company} target="_blank" rel="noopener">${icon("open")} ${say("open_company")}</a></p>`
              : nothing}
          </div>
        </section>
        <section class="panel" aria-labelledby="how">
          <h2 id="how">${say("how")}</h2>
          <ol class="how inside">
            <li>${say("how.1")}</li>
            <li>${say("how.2")}</li>
            <li>${say("how.3")}</li>
            <li>${say("how.4")}</li>
          </ol>
        </section>
      </div>
    </div>`;
  }
}

/** Only a web address is a link; anything else stays words. */
function safe(address: string): boolean {
  return /^https?:\/\//.test(address) || address.startsWith("/");
}

customElements.define("countersign-lab", CountersignLab);
