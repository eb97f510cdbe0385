/** The look of one incident: the story on the left, what happened beside it. */
import { css } from "lit";

export const incidentStyles = css`
  .crumbs a {
    display: inline-flex;
    align-items: center;
    gap: 4px;
    min-block-size: 24px;
    color: var(--_muted);
    text-decoration: none;
  }
  .crumbs a:hover {
    color: var(--_text);
  }
  .title {
    display: flex;
    flex-wrap: wrap;
    align-items: end;
    justify-content: space-between;
    gap: 12px 24px;
    margin-block: 8px 18px;
  }
  .title > div {
    flex: 1 1 320px;
  }
  .title h1 {
    margin-block: 4px;
    text-wrap: balance;
  }
  .title h1:focus {
    outline: none;
  }
  .columns {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 320px;
    gap: 16px;
    align-items: start;
  }
  :host([talking]) {
    padding-inline-end: 404px;
  }
  :host([talking]) .columns {
    grid-template-columns: minmax(0, 1fr);
  }
  .columns > .panel {
    margin: 0;
  }
  .story,
  .cards {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 16px;
  }
  .story .panel + .panel {
    margin: 0;
  }
  .talk {
    position: fixed;
    inset-block: 52px 0;
    inset-inline-end: 0;
    z-index: 15;
    display: grid;
    grid-template-rows: max-content minmax(0, 1fr);
    inline-size: min(420px, 100vw);
    overflow: clip;
    border-block: 0;
    border-inline-end: 0;
    border-radius: 0;
    box-shadow: var(--_shadow);
  }
  .talk countersign-chat {
    --countersign-height: calc(100% + 2px);
    min-block-size: 0;
    margin: -1px;
  }
  .talk h2 {
    display: flex;
    align-items: center;
    justify-content: space-between;
  }
  .earlier > summary {
    color: var(--_muted);
    margin-block-end: 8px;
  }
  .verdict {
    font-size: 1.07em;
    font-weight: 600;
  }
  .inside h3 {
    margin-block: 14px 6px;
    color: var(--_muted);
    font-size: 0.89em;
  }
  .inside > h3:first-child {
    margin-block-start: 0;
  }
  .causes {
    display: grid;
    gap: 10px;
    counter-reset: cause;
  }
  .causes + p {
    margin-block-start: 10px;
  }
  .missing {
    display: grid;
    gap: 4px;
    padding-inline-start: 18px;
    list-style: disc;
  }
  .observations > li,
  .sources > li {
    border-block-start: 1px solid var(--_border);
  }
  .observations > li:first-child,
  .sources > li:first-child {
    border-block-start: 0;
  }
  .observations summary,
  .sources summary {
    display: grid;
    grid-template-columns: 36px minmax(0, 1fr) minmax(0, 1.2fr) 108px;
    align-items: baseline;
    gap: 2px 12px;
    padding: 9px 18px;
    list-style: none;
  }
  .sources summary {
    grid-template-columns: 36px minmax(0, 1fr) max-content;
  }
  .observations summary::-webkit-details-marker,
  .sources summary::-webkit-details-marker {
    display: none;
  }
  .observations summary:hover,
  .sources summary:hover {
    background: var(--_hover);
  }
  summary:focus-visible {
    outline-offset: -2px;
  }
  .observations .badge,
  .sources .badge {
    justify-self: start;
  }
  .observations summary > .number {
    text-align: end;
  }
  .says.not {
    color: var(--_warn);
  }
  details:not([open]) .says {
    display: -webkit-box;
    overflow: hidden;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
  }
  .says .icon-16 {
    vertical-align: -3px;
  }
  .raw {
    padding: 2px 18px 14px 66px;
  }
  .raw h3 {
    margin-block: 8px 4px;
  }
  .raw .quote + p {
    margin-block-start: 8px;
  }
  .raw pre {
    max-block-size: 360px;
    overflow: auto;
  }
  .similar {
    display: grid;
    gap: 12px;
  }
  .download {
    margin-block-start: 12px;
  }
  .inside details {
    margin-block: 6px;
  }
  .inside details .quote {
    margin-block-start: 6px;
    font-size: 0.93em;
  }

  .line {
    padding: 14px 18px 4px;
  }
  .line > li {
    display: grid;
    position: relative;
    grid-template-columns: 24px minmax(0, 1fr);
    gap: 12px;
    padding-block-end: 16px;
  }
  .line > li:not(:last-child)::before {
    content: "";
    position: absolute;
    inset-block: 26px 2px;
    inset-inline-start: 11px;
    inline-size: 2px;
    background: var(--_border);
  }
  .dot {
    display: grid;
    place-items: center;
    inline-size: 24px;
    block-size: 24px;
    border-radius: 50%;
    background: var(--_surface);
    color: var(--_muted);
  }
  .dot .icon-16 {
    inline-size: 14px;
    block-size: 14px;
  }
  .line > .good .dot {
    background: var(--_ok-soft);
    color: var(--_ok);
  }
  .line > .bad .dot {
    background: var(--_danger-soft);
    color: var(--_danger);
  }
  .line > .warn .dot {
    background: var(--_warn-soft);
    color: var(--_warn);
  }
  .line > .accent .dot {
    background: var(--_accent-soft);
    color: var(--_accent);
  }
  .line time {
    float: inline-end;
    margin-inline-start: 8px;
  }
  .line p + p,
  .line .quote {
    margin-block-start: 2px;
  }
  .line .quote {
    max-block-size: 180px;
    overflow-y: auto;
  }
  .checks {
    display: grid;
    gap: 6px;
    margin-block-start: 4px;
  }
  .checks li {
    display: grid;
    grid-template-columns: 16px minmax(0, 1fr);
    gap: 8px;
  }
  .checks .icon-16 {
    margin-block-start: 3px;
  }
  .checks .ok .icon-16,
  .checks .ok .verdict {
    color: var(--_ok);
  }
  .checks .danger .icon-16,
  .checks .danger .verdict {
    color: var(--_danger);
  }
  .checks .warn .icon-16,
  .checks .warn .verdict {
    color: var(--_warn);
  }
  .checks .verdict {
    font-size: 1em;
  }

  @media (max-width: 1100px) {
    .columns {
      grid-template-columns: minmax(0, 1fr);
    }
    :host([talking]) {
      padding-inline-end: 0;
    }
    .talk {
      inset-block-start: 0;
      z-index: 40;
    }
  }
  @media (max-width: 640px) {
    .observations summary,
    .sources summary {
      grid-template-columns: 36px minmax(0, 1fr);
      padding-inline: 14px;
    }
    .observations summary > :nth-child(n + 3),
    .sources summary > :nth-child(n + 3) {
      grid-column: 2;
    }
    .raw {
      padding-inline: 14px;
    }
  }
`;
