/** The passage behind a citation, beside it: on hover and focus for a look, on click to stay and be read by keyboard. */
import { LitElement, type TemplateResult, css, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import type { Check } from "../conversation";
import { renderMarkdown } from "../markdown";
import { base } from "../theme";
import { took } from "../time";
import type { Locale, Source } from "../types";
import { prose } from "./styles";
import { words } from "./words";
import { subject } from "./work";

export type Behind = { kind: "source"; source: Source } | { kind: "evidence"; check: Check };

const SHOW_MS = 140;
const HIDE_MS = 220;
const GAP = 6;
const EDGE = 8;

export class Peek extends LitElement {
  static override styles = [
    ...base,
    prose,
    css`
      :host {
        position: static;
      }
      .box {
        position: fixed;
        inset: auto;
        inline-size: min(400px, calc(100vw - 16px));
        max-block-size: min(340px, 60vh);
        margin: 0;
        padding: 0;
        border: 1px solid var(--_border);
        border-radius: var(--_radius);
        background: var(--_raised);
        color: inherit;
        box-shadow: var(--_shadow);
        overflow: auto;
        overscroll-behavior: contain;
      }
      .top {
        display: flex;
        align-items: baseline;
        gap: 8px;
        position: sticky;
        inset-block-start: 0;
        padding: 9px 12px 7px;
        background: var(--_raised);
      }
      .top h3 {
        flex: 1;
        font-size: 1em;
        font-weight: 650;
        line-height: 1.35;
      }
      .top h3:focus-visible {
        outline-offset: 3px;
      }
      .n {
        padding: 0 5px;
        border-radius: 4px;
        background: var(--_accent-soft);
        color: var(--_accent);
        font-size: 11px;
        font-weight: 600;
        line-height: 17px;
      }
      .body {
        display: grid;
        gap: 10px;
        padding: 0 12px 12px;
        font-size: 0.95em;
      }
      .body h4 {
        font-size: 0.92em;
        font-weight: 600;
        color: var(--_muted);
      }
      .close {
        align-self: center;
        inline-size: 26px;
        min-block-size: 26px;
        margin-block: -4px;
      }
      dl {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 2px 12px;
      }
      dt {
        color: var(--_muted);
      }
    `,
  ];

  @property() locale: Locale = "en";
  @state() private behind: Behind | null = null;
  @state() private pinned = false;
  private anchor: HTMLElement | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** The focus goes back to the citation: that is no look at it. */
  private returning = false;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.onKey, true);
    document.addEventListener("pointerdown", this.onPointer, true);
  }

  override disconnectedCallback(): void {
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener("pointerdown", this.onPointer, true);
    clearTimeout(this.timer);
    super.disconnectedCallback();
  }

  /** A look, soon; it goes when the pointer or the focus goes. */
  look(anchor: HTMLElement, behind: Behind, at_once = false): void {
    clearTimeout(this.timer);
    if (this.pinned || this.returning) return;
    this.timer = setTimeout(() => void this.show(anchor, behind, false), at_once ? 0 : SHOW_MS);
  }

  /** To stay, with the focus in it; the same again closes it. */
  async pin(anchor: HTMLElement, behind: Behind): Promise<void> {
    clearTimeout(this.timer);
    if (this.pinned && this.anchor === anchor) {
      this.hide(true);
      return;
    }
    await this.show(anchor, behind, true);
    this.renderRoot.querySelector<HTMLElement>("h3")?.focus();
  }

  leave(): void {
    clearTimeout(this.timer);
    if (!this.pinned) this.timer = setTimeout(() => this.hide(false), HIDE_MS);
  }

  hide(back: boolean): void {
    clearTimeout(this.timer);
    this.anchor?.setAttribute("aria-expanded", "false");
    const from = this.anchor;
    this.anchor = null;
    this.behind = null;
    this.pinned = false;
    if (!back) return;
    this.returning = true;
    from?.focus();
    this.returning = false;
  }

  private async show(anchor: HTMLElement, behind: Behind, pinned: boolean): Promise<void> {
    this.anchor?.setAttribute("aria-expanded", "false");
    this.anchor = anchor;
    this.behind = behind;
    this.pinned = pinned;
    anchor.setAttribute("aria-expanded", "true");
    await this.updateComplete;
    this.place();
  }

  /** Below the citation, or above it where there is more room; always within the window. */
  private place(): void {
    const box = this.renderRoot.querySelector<HTMLElement>(".box");
    if (!box || !this.anchor) return;
    if (typeof box.showPopover === "function" && !box.matches(":popover-open")) box.showPopover();
    const at = this.anchor.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    const below = at.bottom + GAP;
    const top = below + height <= innerHeight - EDGE ? below : Math.max(EDGE, at.top - GAP - height);
    const left = Math.min(Math.max(EDGE, at.left + at.width / 2 - width / 2), innerWidth - width - EDGE);
    box.style.setProperty("top", `${top}px`);
    box.style.setProperty("left", `${left}px`);
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !this.behind) return;
    event.stopPropagation();
    event.preventDefault();
    this.hide(this.pinned);
  };

  private readonly onPointer = (event: PointerEvent): void => {
    if (!this.pinned) return;
    const path = event.composedPath();
    if (!path.includes(this) && !(this.anchor && path.includes(this.anchor))) this.hide(false);
  };

  protected override render(): TemplateResult | typeof nothing {
    const { behind } = this;
    if (!behind) return nothing;
    const say = words(this.locale);
    const title = behind.kind === "source" ? behind.source.title : behind.check.tool.replaceAll("_", " ");
    const label = behind.kind === "source" ? String(behind.source.n) : behind.check.evidence;
    return html`<div class="root">
      <div
        class="box"
        popover="manual"
        role="dialog"
        aria-labelledby="title"
        @pointerenter=${(): void => clearTimeout(this.timer)}
        @pointerleave=${(): void => this.leave()}
        @focusout=${this.onFocusOut}
      >
        <div class="top">
          <span class="n">${label}</span>
          <h3 id="title" tabindex="-1">${line(title)}</h3>
          ${this.pinned
            ? html`<button type="button" class="button quiet icon close" aria-label=${say("close")} @click=${(): void => this.hide(true)}>
                ${icon("close")}
              </button>`
            : nothing}
        </div>
        <div class="body">${behind.kind === "source" ? this.passages(behind.source) : this.seen(behind.check)}</div>
      </div>
    </div>`;
  }

  private readonly onFocusOut = (event: FocusEvent): void => {
    const box = event.currentTarget as HTMLElement;
    if (this.pinned && event.relatedTarget instanceof Node && !box.contains(event.relatedTarget)) this.hide(false);
  };

  private passages(source: Source): unknown {
    const say = words(this.locale);
    const context = { words: { copy: say("copy"), image: say("image"), table: say("table"), code: say("code") } };
    return source.passages.map(
      (passage) => html`<section>
        <h4>${line(passage.heading)}</h4>
        <div class="prose">${renderMarkdown(passage.text, context)}</div>
      </section>`,
    );
  }

  private seen(check: Check): TemplateResult {
    const say = words(this.locale);
    const about = subject(check.args);
    return html`<p>${check.says ? line(check.says) : say(`check.${check.state}`)}</p>
      <p class="muted">
        ${about ? html`<code dir="ltr">${line(about)}</code>` : nothing} ${check.server ? say("check.server", { server: check.server }) : nothing}
        ${check.ms === null ? nothing : html`· ${took(check.ms, this.locale)}`}
      </p>`;
  }
}

customElements.define("countersign-peek", Peek);
