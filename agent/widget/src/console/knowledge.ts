/** Search in the pages the assistant answers from, with an honest answer when none fits. */
import { type PropertyValues, type TemplateResult, css, html, nothing } from "lit";
import { property } from "lit/decorators.js";
import { icon } from "../card/icons";
import { block, line } from "../card/strings";
import type { KnowledgePage } from "../types";
import { Room } from "./room";
import { hash } from "./route";

/** So many of the pages that do not fit are shown: enough to see what was near, too few to be taken for answers. */
const MOST_NEAREST = 3;

type Found = { pages: KnowledgePage[]; found: boolean } | "nothing asked";

export class CountersignKnowledge extends Room<Found> {
  static override styles = [
    ...Room.styles,
    css`
      form {
        display: flex;
        gap: 8px;
        margin-block-end: 18px;
      }
      form .field {
        min-block-size: 40px;
      }
      form .button {
        flex: none;
        min-block-size: 40px;
        white-space: nowrap;
      }
      .search .icon-16 {
        inset-block-start: 12px;
      }
      .pages {
        display: grid;
        gap: 12px;
      }
      .page {
        padding: 14px 18px;
      }
      .pages > .panel {
        margin: 0;
      }
      .page > header {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 4px 10px;
      }
      .page h2 {
        flex: 1 1 auto;
      }
      .passage {
        margin-block-start: 10px;
      }
      .passage h3 {
        margin-block-end: 4px;
        color: var(--_muted);
        font-size: 0.93em;
      }
      .nearest {
        margin-block: 18px 10px;
      }
    `,
  ];

  @property() q = "";

  protected override minds(): boolean {
    return false;
  }

  protected override async ask(): Promise<Found> {
    return this.q === "" ? "nothing asked" : this.api.search(this.q);
  }

  protected override willUpdate(changes: PropertyValues): void {
    super.willUpdate(changes);
    if (changes.has("q") && this.hasUpdated) this.again();
  }

  protected override head(): TemplateResult {
    const { say } = this;
    return html`
      <div class="top"><h1>${say("knowledge")}</h1></div>
      <form
        role="search"
        @submit=${(event: SubmitEvent) => {
          event.preventDefault();
          const q = new FormData(event.target as HTMLFormElement).get("q");
          location.hash = hash({ room: "knowledge", q: typeof q === "string" ? q.trim() : "" });
        }}
      >
        <label class="search">
          <span class="sr">${say("search_pages")}</span>
          ${icon("search")}
          <input class="field" type="search" name="q" data-search maxlength="2000" placeholder=${say("search_pages")} title=${say("search_hint")} .value=${this.q} />
        </label>
        <button class="button primary" type="submit">${say("search")}</button>
      </form>
    `;
  }

  protected override draw(found: Found): TemplateResult {
    const { say } = this;
    if (found === "nothing asked")
      return html`<div class="panel empty">
        ${icon("book")}
        <p><b>${say("search_first")}</b></p>
        <p class="muted">${say("search_example")}</p>
      </div>`;
    const fitting = found.pages.filter((page) => page.relevant);
    const rest = found.pages.filter((page) => !page.relevant);
    return html`
      <p role="status">
        ${found.found
          ? say("found_pages", { n: fitting.length })
          : html`<span class="note warn none"><b>${say("no_page")}</b> ${say("no_page_more")}</span>`}
      </p>
      <div class="pages">${fitting.map((page) => this.page(page))}</div>
      ${rest.length > 0
        ? html`<h2 class="nearest">${say("nearest")}</h2>
            <div class="pages">${rest.slice(0, MOST_NEAREST).map((page) => this.page(page))}</div>`
        : nothing}
    `;
  }

  private page(page: KnowledgePage): TemplateResult {
    const { say } = this;
    const passages = page.passages.map(
      (one) => html`<div class="passage">
        <h3>${line(one.heading)}</h3>
        <div class="quote">${block(one.text)}</div>
      </div>`,
    );
    return html`<article class="panel page">
      <header>
        <h2><code>${line(page.page)}</code> ${line(page.title)}</h2>
      </header>
      ${page.why ? html`<p class="muted small">${line(say("why_found", { why: page.why }))}</p>` : nothing}
      ${page.relevant
        ? passages
        : html`<details>
            <summary class="muted">${say("passages", { n: page.passages.length })}</summary>
            ${passages}
          </details>`}
    </article>`;
  }
}

customElements.define("countersign-knowledge", CountersignKnowledge);
