/** The bar on top of our own pages: what this is, who looks, and how it shall look. */
import { type TemplateResult, css, html, nothing } from "lit";
import { icon } from "../card/icons";
import { line } from "../card/strings";
import type { Locale, Me, Theme } from "../types";
import type { ConsoleWords } from "./words";

export interface Bar {
  readonly say: ConsoleWords;
  readonly me: Me | null;
  readonly theme: Theme;
  readonly locale: Locale;
  readonly home: string;
  setTheme(to: Theme): void;
  setLocale(to: Locale): void;
  signOut(): void;
}

const THEMES: readonly Theme[] = ["auto", "light", "dark"];
const LOCALES: readonly (readonly [Locale, string])[] = [
  ["en", "English"],
  ["de", "Deutsch"],
];

/** The product's mark: a countersignature under a line. */
export function mark(): TemplateResult {
  return html`<svg class="mark" viewBox="0 0 24 24" fill="none" aria-hidden="true">
    <rect width="24" height="24" rx="6" fill="currentColor"></rect>
    <path class="stroke" d="M5.5 13.5c2-4.5 4-6.5 5-5.5s-1.5 5 0 5.5 2-2.5 3.2-2.2.3 2 1.5 2 1.8-.8 3.3-1.3M5.5 17.5h13" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"></path>
  </svg>`;
}

export function bar(bar: Bar, middle: unknown = nothing): TemplateResult {
  const { say, me } = bar;
  return html`<header class="bar">
    <a class="brand" href=${bar.home}>${mark()}<span>${me?.product.name ?? "Countersign"}</span></a>
    <div class="middle">${middle}</div>
    <details class="menu" @keydown=${closeOnEscape} @focusout=${closeOnLeave}>
      <summary class="button quiet">
        ${icon("person")}<span class="who">${me ? line(me.name || me.person) : ""}</span><span class="sr">${say("account")}</span>${icon("down")}
      </summary>
      <div class="sheet">
        ${me
          ? html`<p><b>${line(me.name || me.person)}</b></p>
              <p class="muted small"><code>${line(me.person)}</code></p>
              <p class="muted small">${line(say("roles", { roles: me.roles.join(", ") }))}</p>`
          : nothing}
        ${choice("theme", say("theme"), THEMES.map((one) => [one, say(`theme.${one}`)] as const), bar.theme, (to) => bar.setTheme(to))}
        ${choice("locale", say("language"), LOCALES, bar.locale, (to) => bar.setLocale(to))}
        ${me ? html`<button class="button" type="button" @click=${() => bar.signOut()}>${say("sign_out")}</button>` : nothing}
        ${me ? html`<p class="muted small">${say("product", { name: me.product.name, version: me.product.version })}</p>` : nothing}
      </div>
    </details>
  </header>`;
}

function choice<T extends string>(
  name: string,
  title: string,
  all: readonly (readonly [T, string])[],
  chosen: T,
  set: (to: T) => void,
): TemplateResult {
  return html`<label class="choice">
    <span>${title}</span>
    <select class="field" name=${name} @change=${(event: Event) => set((event.target as HTMLSelectElement).value as T)}>
      ${all.map(([value, words]) => html`<option value=${value} ?selected=${value === chosen}>${words}</option>`)}
    </select>
  </label>`;
}

function closeOnEscape(event: KeyboardEvent): void {
  const menu = event.currentTarget as HTMLDetailsElement;
  if (event.key !== "Escape" || !menu.open) return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
}

function closeOnLeave(event: FocusEvent): void {
  const menu = event.currentTarget as HTMLDetailsElement;
  if (event.relatedTarget instanceof Node && !menu.contains(event.relatedTarget)) menu.open = false;
}

export const barStyles = css`
  .bar {
    position: sticky;
    inset-block-start: 0;
    z-index: 20;
    display: flex;
    align-items: center;
    gap: 8px 16px;
    min-block-size: 52px;
    padding-inline: 20px;
    border-block-end: 1px solid var(--_border);
    background: var(--_raised);
  }
  .brand {
    display: inline-flex;
    align-items: center;
    gap: 9px;
    min-block-size: 32px;
    color: var(--_text);
    font-size: 1.07em;
    font-weight: 650;
    letter-spacing: -0.01em;
    text-decoration: none;
  }
  .mark {
    inline-size: 24px;
    block-size: 24px;
    flex: none;
    color: var(--_fill);
  }
  .mark .stroke {
    stroke: var(--_on-fill);
  }
  .middle {
    display: flex;
    flex: 1;
    align-items: center;
    justify-content: flex-end;
    gap: 8px;
    min-inline-size: 0;
  }
  .middle > * {
    flex: none;
    white-space: nowrap;
  }
  .menu {
    position: relative;
  }
  .menu > summary {
    list-style: none;
  }
  .menu > summary::-webkit-details-marker {
    display: none;
  }
  .menu > summary .icon-16:last-child {
    inline-size: 12px;
    block-size: 12px;
  }
  .menu[open] > summary {
    background: var(--_hover);
    color: var(--_text);
  }
  .sheet {
    position: absolute;
    inset-block-start: calc(100% + 6px);
    inset-inline-end: 0;
    z-index: 20;
    display: grid;
    gap: 10px;
    inline-size: 248px;
    padding: 14px;
    border: 1px solid var(--_border);
    border-radius: var(--_radius);
    background: var(--_raised);
    box-shadow: var(--_shadow);
  }
  .sheet p {
    margin: 0;
  }
  .sheet p + .small {
    margin-block-start: -8px;
  }
  .choice {
    display: grid;
    gap: 3px;
  }
  .choice span {
    color: var(--_muted);
    font-size: 0.89em;
  }
  .skip {
    position: absolute;
    inset-block-start: 8px;
    inset-inline-start: 8px;
    z-index: 30;
    padding: 8px 14px;
    border-radius: var(--_radius-small);
    background: var(--_fill);
    color: var(--_on-fill);
  }
  .skip:not(:focus) {
    inline-size: 1px;
    block-size: 1px;
    padding: 0;
    overflow: hidden;
    clip-path: inset(50%);
  }
  .small {
    font-size: 0.89em;
  }
  @media (max-width: 640px) {
    .bar {
      padding-inline: 12px;
    }
    .who {
      display: none;
    }
    .bar:has(.middle [role="status"]) .brand span {
      position: absolute;
      clip-path: inset(50%);
    }
  }
`;
