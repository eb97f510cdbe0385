/** What stands where something could not be shown, and what stands there while it comes. */
import { type TemplateResult, css, html, nothing } from "lit";
import { Problem } from "../api";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import type { ConsoleWords } from "./words";

export function trouble(problem: unknown, say: ConsoleWords, retry: () => void): TemplateResult {
  const known = problem instanceof Problem ? problem : null;
  const says = known?.offline ? say("failed_offline") : known?.status === 403 ? say("failed_not_allowed") : say("failed");
  return html`<div class="empty" role="alert">
    ${icon("warn")}
    <p><b>${says}</b></p>
    ${known && !known.offline && known.message ? html`<p class="muted">${line(known.message)}</p>` : nothing}
    <button class="button" type="button" @click=${retry}>${say("retry")}</button>
  </div>`;
}

/** Grey bars in the shape of what comes; a listener hears one word. */
export function skeleton(rows: number, say: ConsoleWords): TemplateResult {
  return html`<div class="skeleton" role="status">
    <span class="sr">${say("loading")}</span>
    ${Array.from({ length: rows }, (_, at) => html`<div class="bone ${at % 3 === 1 ? "short" : ""}" aria-hidden="true"></div>`)}
  </div>`;
}

export const troubleStyles = css`
  .empty {
    display: grid;
    justify-items: center;
    gap: 8px;
    padding: 56px 20px;
    text-align: center;
  }
  .empty > .icon-16 {
    inline-size: 28px;
    block-size: 28px;
    margin-block-end: 4px;
    color: var(--_muted);
    stroke-width: 1.1;
  }
  .empty p {
    max-inline-size: 54ch;
    margin: 0;
  }
  .skeleton {
    display: grid;
    gap: 14px;
    padding: 20px;
  }
  .bone {
    block-size: 18px;
    border-radius: var(--_radius-small);
    background: linear-gradient(90deg, var(--_hover) 30%, var(--_surface) 50%, var(--_hover) 70%);
    background-size: 300% 100%;
    animation: pass 1.6s linear infinite;
  }
  .bone.short {
    inline-size: 62%;
  }
  @keyframes pass {
    from {
      background-position: 120% 0;
    }
    to {
      background-position: -60% 0;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    .bone {
      background: var(--_hover);
    }
  }
`;
