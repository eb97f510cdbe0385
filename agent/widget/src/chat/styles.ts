/** How the chat is laid out. Logical properties throughout, so that right-to-left pages mirror it. */
import { type CSSResult, css } from "lit";

/** Rendered Markdown, wherever it stands. */
export const prose: CSSResult = css`
  .prose {
    line-height: 1.6;
  }
  .prose > * + * {
    margin-block-start: 0.65em;
  }
  .prose .h {
    font-size: 1.02em;
    font-weight: 650;
    line-height: 1.35;
    margin-block-start: 1.1em;
  }
  .prose .h:first-child {
    margin-block-start: 0;
  }
  .prose .h1,
  .prose .h2 {
    font-size: 1.12em;
  }
  .prose ul,
  .prose ol {
    padding-inline-start: 1.5em;
  }
  .prose li + li,
  .prose li > ul,
  .prose li > ol {
    margin-block-start: 0.25em;
  }
  .prose li::marker {
    color: var(--_muted);
    font-variant-numeric: tabular-nums;
  }
  .prose li.task {
    list-style: none;
    margin-inline-start: -1.3em;
  }
  .prose blockquote {
    padding-inline-start: 0.9em;
    border-inline-start: 3px solid var(--_border);
    color: var(--_muted);
  }
  .prose hr {
    border: 0;
    border-block-start: 1px solid var(--_border);
  }
  .prose code {
    padding: 0.08em 0.35em;
    border-radius: 4px;
    background: var(--_code);
    border: 1px solid var(--_border);
  }
  .prose .code {
    border: 1px solid var(--_border);
    border-radius: var(--_radius-small);
    background: var(--_code);
    overflow: hidden;
  }
  .prose .code-bar {
    display: flex;
    align-items: center;
    justify-content: space-between;
    min-block-size: 30px;
    padding-inline: 10px 4px;
    border-block-end: 1px solid var(--_border);
    color: var(--_muted);
    font-size: 0.86em;
  }
  .prose pre {
    padding: 8px 10px;
    overflow-x: auto;
    line-height: 1.5;
    tab-size: 4;
  }
  .prose pre code {
    padding: 0;
    border: 0;
    background: none;
    font-size: 1em;
    white-space: pre;
    overflow-wrap: normal;
  }
  .prose .table {
    overflow-x: auto;
    border: 1px solid var(--_border);
    border-radius: var(--_radius-small);
  }
  .prose table {
    border-collapse: collapse;
    min-inline-size: 100%;
    overflow-wrap: normal;
  }
  .prose th,
  .prose td {
    padding: 5px 10px;
    border-block-end: 1px solid var(--_border);
    text-align: start;
    vertical-align: top;
  }
  .prose tr:last-child td {
    border-block-end: 0;
  }
  .prose th {
    background: var(--_surface);
    font-weight: 600;
    white-space: nowrap;
  }
  .prose .to-right {
    text-align: end;
  }
  .prose .to-center {
    text-align: center;
  }
  .prose .raw {
    font-family: var(--_mono);
    font-size: 0.92em;
    white-space: pre-wrap;
  }
  /* 24 px to hit, a small figure to see. */
  .cite {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    min-inline-size: 24px;
    block-size: 24px;
    margin-block: -6px;
    margin-inline: -3px;
    padding: 0 3px;
    border: 0;
    background: none;
    vertical-align: baseline;
    cursor: pointer;
  }
  .cite span {
    min-inline-size: 17px;
    padding: 0 4px;
    border-radius: 4px;
    background: var(--_accent-soft);
    color: var(--_accent);
    font-size: 11px;
    font-weight: 600;
    line-height: 16px;
    text-align: center;
    font-variant-numeric: tabular-nums;
  }
  .cite:hover span,
  .cite[aria-expanded="true"] span {
    background: var(--_fill);
    color: var(--_on-fill);
  }
`;

export const layout: CSSResult = css`
  :host {
    display: block;
    block-size: var(--countersign-height, 100%);
    min-block-size: 0;
  }
  .chat {
    display: flex;
    flex-direction: column;
    position: relative;
    block-size: 100%;
    min-block-size: 0;
    background: var(--_background);
    overflow: hidden;
  }
  :host([inline]) .chat {
    border: 1px solid var(--_border);
    border-radius: var(--_radius);
  }
  header {
    display: flex;
    align-items: center;
    gap: 2px;
    flex: none;
    min-block-size: 48px;
    padding-inline: 14px 8px;
    border-block-end: 1px solid var(--_border);
    background: var(--_surface);
  }
  .brand {
    display: flex;
    align-items: center;
    gap: 9px;
    flex: 1;
    min-inline-size: 0;
    color: var(--_accent);
  }
  .brand .icon-16 {
    inline-size: 20px;
    block-size: 20px;
  }
  .brand h2 {
    color: var(--_text);
    font-size: 1.04em;
    font-weight: 650;
    letter-spacing: -0.005em;
  }
  .brand .about {
    flex: 1;
    min-inline-size: 0;
    overflow: hidden;
    color: var(--_muted);
    font-size: 0.9em;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .log {
    flex: 1;
    min-block-size: 0;
    overflow-y: auto;
    overscroll-behavior: contain;
    scrollbar-width: thin;
    scrollbar-color: var(--_border-strong) transparent;
  }
  .log:focus-visible {
    outline-offset: -2px;
  }
  .column {
    max-inline-size: 820px;
    margin-inline: auto;
    padding: 16px;
  }
  .turn + .turn {
    margin-block-start: 22px;
  }
  .turn > * + * {
    margin-block-start: 10px;
  }
  .said {
    display: flex;
    justify-content: flex-end;
  }
  .bubble {
    max-inline-size: min(88%, 620px);
    padding: 7px 12px;
    border-radius: var(--_radius);
    border-end-end-radius: 3px;
    background: var(--_accent-soft);
    white-space: pre-wrap;
  }
  .bubble.waiting {
    opacity: 0.75;
  }
  .failed {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: flex-end;
    gap: 4px 8px;
    color: var(--_danger);
    font-size: 0.93em;
  }
  .service {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 2px 8px;
    color: var(--_muted);
    font-size: 0.93em;
  }
  .service b {
    color: var(--_text);
    font-weight: 600;
  }
  .label {
    color: var(--_muted);
    font-size: 0.86em;
    font-weight: 600;
  }
  .refs {
    display: grid;
    gap: 6px;
  }
  .refs ol,
  .refs ul {
    display: grid;
    gap: 2px;
    padding: 0;
    list-style: none;
  }
  .ref {
    display: grid;
    grid-template-columns: 22px minmax(0, 1fr) auto;
    align-items: baseline;
    gap: 2px 8px;
    inline-size: calc(100% + 16px);
    min-block-size: 28px;
    margin-inline: -8px;
    padding: 4px 8px;
    border: 0;
    border-radius: var(--_radius-small);
    background: none;
    text-align: start;
    cursor: pointer;
  }
  .ref:hover,
  .ref[aria-expanded="true"] {
    background: var(--_hover);
  }
  .ref .n {
    border-radius: 4px;
    background: var(--_accent-soft);
    color: var(--_accent);
    font-size: 11px;
    font-weight: 600;
    line-height: 17px;
    text-align: center;
    font-variant-numeric: tabular-nums;
  }
  .ref .more {
    color: var(--_muted);
    font-size: 0.86em;
    white-space: nowrap;
  }
  .similar li {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto;
    gap: 0 10px;
    padding: 5px 8px;
    border-radius: var(--_radius-small);
    background: var(--_surface);
  }
  .similar .solution {
    grid-column: 1 / -1;
    color: var(--_muted);
    font-size: 0.93em;
  }
  .tail {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 2px;
    margin-inline-start: -8px;
  }
  .jump {
    position: absolute;
    inset-block-end: 100%;
    inset-inline: 0;
    display: flex;
    justify-content: center;
    padding-block-end: 8px;
    pointer-events: none;
  }
  .jump .button {
    pointer-events: auto;
    border-radius: 999px;
    box-shadow: var(--_shadow);
  }
  .foot {
    position: relative;
    flex: none;
    border-block-start: 1px solid var(--_border);
    background: var(--_surface);
  }
  .banner {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 6px 10px;
    padding: 7px 14px;
    border-block-end: 1px solid var(--_border);
    background: var(--_warn-soft);
    color: var(--_warn);
    font-size: 0.93em;
  }
  .banner > span:not(.spinner) {
    flex: 1;
    min-inline-size: 12em;
  }
  .banner.calm {
    background: var(--_surface);
    color: var(--_muted);
  }
  .empty {
    display: grid;
    gap: 18px;
    padding-block: 12px 8px;
  }
  .empty h3 {
    font-size: 1.36em;
    font-weight: 650;
    line-height: 1.25;
    letter-spacing: -0.012em;
  }
  .empty h4 {
    color: var(--_muted);
    font-size: 0.86em;
    font-weight: 600;
  }
  .empty ul {
    display: grid;
    gap: 5px;
    margin-block-start: 6px;
    padding: 0;
    list-style: none;
  }
  .empty .points li {
    display: grid;
    grid-template-columns: 16px minmax(0, 1fr);
    gap: 9px;
    align-items: start;
  }
  .empty .points .icon-16 {
    margin-block-start: 2.5px;
    color: var(--_ok);
  }
  .empty .points.never .icon-16 {
    color: var(--_muted);
  }
  .example {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 10px;
    inline-size: 100%;
    min-block-size: 38px;
    padding: 7px 12px;
    border: 1px solid var(--_border);
    border-radius: var(--_radius-small);
    background: var(--_raised);
    text-align: start;
    cursor: pointer;
  }
  .example .icon-16 {
    color: var(--_muted);
  }
  .example:hover {
    border-color: var(--_border-strong);
    background: var(--_hover);
  }
  .loading {
    display: flex;
    align-items: center;
    justify-content: center;
    gap: 10px;
    padding-block: 40px;
    color: var(--_muted);
  }
  .gate {
    display: grid;
    align-content: center;
    justify-items: center;
    gap: 12px;
    flex: 1;
    padding: 24px;
    text-align: center;
  }
  .gate h3 {
    font-size: 1.15em;
    font-weight: 650;
  }
  .gate p {
    max-inline-size: 36ch;
  }
  .gate .brand-mark {
    color: var(--_accent);
  }
  .gate .brand-mark .icon-16 {
    inline-size: 36px;
    block-size: 36px;
  }
  @media (max-width: 480px) {
    .column {
      padding: 14px 12px;
    }
    header {
      padding-inline-start: 12px;
    }
  }
`;
