/** The look that the console's rooms share. */
import { css } from "lit";

export const roomStyles = css`
  h1 {
    font-size: 1.5em;
    font-weight: 650;
    line-height: 1.25;
    letter-spacing: -0.015em;
  }
  h2 {
    font-size: 1.07em;
    font-weight: 650;
  }
  h3 {
    font-size: 1em;
    font-weight: 600;
  }
  p + p {
    margin-block-start: 4px;
  }
  ul,
  ol {
    padding: 0;
    list-style: none;
  }
  .small {
    font-size: 0.89em;
  }
  .top {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px 14px;
    margin-block-end: 16px;
  }
  .panel {
    border: 1px solid var(--_border);
    border-radius: var(--_radius);
    background: var(--_raised);
  }
  .panel + .panel {
    margin-block-start: 16px;
  }
  .panel > h2 {
    padding: 12px 18px;
    border-block-end: 1px solid var(--_border);
  }
  .panel > h2 .muted {
    font-weight: 400;
  }
  .panel > .inside {
    padding: 14px 18px;
  }
  .tone {
    display: inline-flex;
    align-items: baseline;
    gap: 6px;
    color: var(--_muted);
    font-weight: 500;
  }
  .tone .icon-16,
  .tone .spinner {
    align-self: center;
  }
  .tone .spinner {
    margin-inline: 2px;
  }
  .tone.good {
    color: var(--_ok);
  }
  .tone.bad {
    color: var(--_danger);
  }
  .tone.warn {
    color: var(--_warn);
  }
  .tone.wait,
  .tone.run {
    color: var(--_accent);
  }
  .badge .icon-16 {
    inline-size: 13px;
    block-size: 13px;
  }
  .unseen {
    padding: 0 3px;
    border: 1px solid var(--_danger);
    border-radius: 3px;
    background: var(--_danger-soft);
    color: var(--_danger);
    font-family: var(--_mono);
    font-size: 0.86em;
    white-space: nowrap;
  }
  summary {
    min-block-size: 24px;
    cursor: pointer;
  }
  pre {
    padding: 10px 12px;
    border: 1px solid var(--_border);
    border-radius: var(--_radius-small);
    background: var(--_code);
    line-height: 1.5;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
  code {
    overflow-wrap: anywhere;
  }
  .quote {
    padding: 8px 12px;
    border-inline-start: 3px solid var(--_border);
    border-radius: var(--_radius-small);
    background: var(--_surface);
    white-space: pre-wrap;
  }
  .filters {
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
    margin-block-end: 14px;
  }
  .filters .field {
    inline-size: auto;
  }
  @media (max-width: 640px) {
    .filters select {
      flex: 1 1 0;
      min-inline-size: 0;
    }
    .filters .search {
      flex-basis: 100%;
    }
  }
  .search {
    position: relative;
    flex: 1 1 240px;
  }
  .search .icon-16 {
    position: absolute;
    inset-block-start: 9px;
    inset-inline-start: 10px;
    color: var(--_muted);
    pointer-events: none;
  }
  .search .field {
    inline-size: 100%;
    padding-inline-start: 34px;
  }
  kbd {
    padding: 0 5px;
    border: 1px solid var(--_border-strong);
    border-radius: 4px;
    background: var(--_surface);
    font-size: 0.86em;
  }
`;
