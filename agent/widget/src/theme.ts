/**
 * The look in one place: colours in pairs (light, dark), type, space, focus; and the parts every view shares.
 *
 * A host page themes by setting the public `--countersign-*` properties; everything inside reads the private `--_*` ones.
 * `light-dark()` follows `color-scheme`, which the `theme` attribute of an outermost element sets.
 */
import { type CSSResult, css, unsafeCSS } from "lit";

/** Every colour as [light, dark]. `tests/theme.test.ts` holds the pairs to WCAG 2.2 AA. */
export const palette = {
  background: ["#ffffff", "#10161c"],
  surface: ["#f4f6f8", "#161e26"],
  raised: ["#ffffff", "#1b242d"],
  hover: ["#e9eef1", "#25303b"],
  border: ["#d9dfe5", "#2b3743"],
  "border-strong": ["#75828f", "#738291"],
  text: ["#17212b", "#e6ebf0"],
  muted: ["#52606d", "#a3b1be"],
  accent: ["#0b5c5e", "#6cc7c2"],
  "accent-soft": ["#e2f0ef", "#15302f"],
  fill: ["#0b5c5e", "#1d7673"],
  "fill-hover": ["#084749", "#17625f"],
  "on-fill": ["#ffffff", "#ffffff"],
  ok: ["#17663a", "#6fd49a"],
  "ok-soft": ["#e5f5ec", "#16301f"],
  warn: ["#7d4e00", "#f0bd62"],
  "warn-soft": ["#fdf3df", "#352a12"],
  danger: ["#b0231f", "#ff9d94"],
  "danger-soft": ["#fdecea", "#3d1b1a"],
  "danger-fill": ["#b0231f", "#bf3a33"],
  code: ["#f4f6f8", "#0b1015"],
  mark: ["#fff1b8", "#4b3d0c"],
} as const satisfies Record<string, readonly [string, string]>;

const colours = unsafeCSS(
  Object.entries(palette)
    .map(([name, [light, dark]]) => `--_${name}:var(--countersign-${name},light-dark(${light},${dark}));`)
    .join(""),
);

/** The tokens. On every element's host, so that each part looks right on its own as well. */
export const tokens: CSSResult = css`
  :host {
    ${colours}
    --_font: var(--countersign-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif);
    --_mono: var(
      --countersign-font-mono,
      ui-monospace,
      "SF Mono",
      "Cascadia Mono",
      Menlo,
      Consolas,
      "DejaVu Sans Mono",
      "Liberation Mono",
      monospace
    );
    --_size: var(--countersign-font-size, 14px);
    --_radius: var(--countersign-radius, 8px);
    --_radius-small: calc(var(--_radius) * 0.625);
    --_shadow: 0 1px 2px light-dark(rgb(20 28 40 / 8%), rgb(0 0 0 / 40%)), 0 4px 16px light-dark(rgb(20 28 40 / 6%), rgb(0 0 0 / 30%));
    --_ring: var(--_accent);
  }
`;

/**
 * Host pages cannot style the inside: `all: initial` on the host stops what is inherited there, and the inner root (`.root`) sets
 * again what an `!important` rule of the page could still put on the host. A nested element keeps the scheme of the one around it.
 */
export const isolated: CSSResult = css`
  :host {
    all: initial;
    display: block;
    color-scheme: inherit;
    direction: inherit;
  }
  :host([hidden]) {
    display: none !important;
  }
  .root {
    font-family: var(--_font);
    font-size: var(--_size);
    font-style: normal;
    font-weight: 400;
    font-variant: normal;
    font-stretch: normal;
    line-height: 1.5;
    letter-spacing: normal;
    word-spacing: normal;
    text-align: start;
    text-indent: 0;
    text-transform: none;
    text-shadow: none;
    text-decoration: none;
    white-space: normal;
    overflow-wrap: anywhere;
    cursor: auto;
    visibility: visible;
    color: var(--_text);
    -webkit-text-size-adjust: 100%;
    text-size-adjust: 100%;
  }
`;

/** For outermost elements: what the `theme` attribute means. */
export const themed: CSSResult = css`
  :host {
    color-scheme: light dark;
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
`;

/** Buttons, fields, badges, code, and the rules that hold everywhere. */
export const parts: CSSResult = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  h1,
  h2,
  h3,
  h4,
  h5,
  h6,
  p,
  ul,
  ol,
  dl,
  dd,
  figure,
  blockquote,
  pre {
    margin: 0;
  }
  button,
  input,
  textarea,
  select {
    font: inherit;
    letter-spacing: inherit;
    color: inherit;
    margin: 0;
  }
  :focus-visible {
    outline: 2px solid var(--_ring);
    outline-offset: 2px;
  }
  a {
    color: var(--_accent);
    text-underline-offset: 2px;
  }
  a:hover {
    text-decoration-thickness: 2px;
  }
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    min-block-size: 32px;
    min-inline-size: 24px;
    padding: 4px 12px;
    border: 1px solid var(--_border-strong);
    border-radius: var(--_radius-small);
    background: var(--_raised);
    color: var(--_text);
    font-weight: 500;
    line-height: 1.3;
    text-align: center;
    text-decoration: none;
    cursor: pointer;
  }
  .button:hover:not(:disabled, [aria-disabled="true"]) {
    background: var(--_hover);
  }
  .button.primary {
    border-color: transparent;
    background: var(--_fill);
    color: var(--_on-fill);
  }
  .button.primary:hover:not(:disabled, [aria-disabled="true"]) {
    background: var(--_fill-hover);
  }
  .button.danger {
    border-color: var(--_danger);
    color: var(--_danger);
  }
  .button.danger.primary {
    border-color: transparent;
    background: var(--_danger-fill);
    color: var(--_on-fill);
  }
  .button.quiet {
    border-color: transparent;
    background: transparent;
    color: var(--_muted);
  }
  .button.quiet:hover:not(:disabled, [aria-disabled="true"]) {
    background: var(--_hover);
    color: var(--_text);
  }
  .button.small {
    min-block-size: 26px;
    padding: 2px 8px;
    font-size: 0.93em;
  }
  .button.icon {
    inline-size: 32px;
    padding: 0;
  }
  .button:disabled,
  .button[aria-disabled="true"] {
    border-color: var(--_border);
    background: var(--_surface);
    color: var(--_muted);
    cursor: not-allowed;
  }
  .field {
    inline-size: 100%;
    min-block-size: 32px;
    padding: 5px 10px;
    border: 1px solid var(--_border-strong);
    border-radius: var(--_radius-small);
    background: var(--_background);
    color: var(--_text);
    line-height: 1.4;
  }
  .field::placeholder {
    color: var(--_muted);
    opacity: 1;
  }
  .field:disabled {
    background: var(--_surface);
    color: var(--_muted);
  }
  .field[aria-invalid="true"] {
    border-color: var(--_danger);
  }
  .badge {
    display: inline-flex;
    align-items: center;
    gap: 4px;
    padding: 1px 8px;
    border: 1px solid var(--_border);
    border-radius: 999px;
    background: var(--_surface);
    color: var(--_muted);
    font-size: 0.86em;
    font-weight: 500;
    line-height: 1.5;
    white-space: nowrap;
  }
  .badge.ok {
    border-color: transparent;
    background: var(--_ok-soft);
    color: var(--_ok);
  }
  .badge.warn {
    border-color: transparent;
    background: var(--_warn-soft);
    color: var(--_warn);
  }
  .badge.danger {
    border-color: transparent;
    background: var(--_danger-soft);
    color: var(--_danger);
  }
  .badge.accent {
    border-color: transparent;
    background: var(--_accent-soft);
    color: var(--_accent);
  }
  .note {
    padding: 8px 12px;
    border-inline-start: 3px solid var(--_border-strong);
    border-radius: var(--_radius-small);
    background: var(--_surface);
  }
  .note.warn {
    border-inline-start-color: var(--_warn);
    background: var(--_warn-soft);
  }
  .note.danger {
    border-inline-start-color: var(--_danger);
    background: var(--_danger-soft);
  }
  .muted {
    color: var(--_muted);
  }
  .mono,
  code,
  pre,
  kbd {
    font-family: var(--_mono);
    font-size: 0.92em;
    font-variant-ligatures: none;
  }
  .unseen,
  .hidden-mark {
    padding: 0 3px;
    border-radius: 3px;
    background: var(--_warn-soft);
    color: var(--_warn);
    font-family: var(--_mono);
    font-size: 0.82em;
    unicode-bidi: isolate;
  }
  .number {
    font-variant-numeric: tabular-nums;
  }
  .sr {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    margin: -1px;
    padding: 0;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .icon-16 {
    vertical-align: -3px;
    inline-size: 16px;
    block-size: 16px;
    flex: none;
  }
  .spinner {
    display: inline-block;
    inline-size: 12px;
    block-size: 12px;
    flex: none;
    border: 2px solid var(--_border);
    border-block-start-color: var(--_accent);
    border-radius: 50%;
    animation: turn 0.8s linear infinite;
  }
  @keyframes turn {
    to {
      transform: rotate(1turn);
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation-duration: 0.01ms !important;
      animation-iteration-count: 1 !important;
      transition-duration: 0.01ms !important;
      scroll-behavior: auto !important;
    }
  }
  @media (forced-colors: active) {
    .button,
    .badge,
    .note {
      border: 1px solid;
    }
  }
`;

/** What a nested element adopts, in this order. Put an element's own styles after it. */
export const base: CSSResult[] = [tokens, isolated, parts];

/** What an outermost element adopts. */
export const outer: CSSResult[] = [tokens, isolated, themed, parts];

/** Our own pages' document: no margin, the right canvas colour before the first element draws. */
export function dressPage(theme: string | null): void {
  const sheet = new CSSStyleSheet();
  const scheme = theme === "light" || theme === "dark" ? theme : "light dark";
  const [light, dark] = palette.background;
  sheet.replaceSync(
    `:root{color-scheme:${scheme}}html,body{margin:0;block-size:100%;background:light-dark(${light},${dark})}#app{display:block;min-block-size:100%}`,
  );
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
