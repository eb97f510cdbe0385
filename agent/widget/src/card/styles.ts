/** The card's own look: one column where there is little room, the deciding beside the reading where there is much. */
import { css } from "lit";

export const styles = css`
  :host {
    container: card / inline-size;
  }
  .card {
    --tone: var(--_border-strong);
    border: 1px solid var(--_border);
    border-block-start: 3px solid var(--tone);
    border-radius: var(--_radius);
    background: var(--_raised);
  }
  .card.wait.risk-low,
  .card.wait.risk-read_only {
    --tone: var(--_accent);
  }
  .card.wait.risk-medium,
  .card.warn {
    --tone: var(--_warn);
  }
  .card.wait.risk-high,
  .card.bad {
    --tone: var(--_danger);
  }
  .card.good {
    --tone: var(--_ok);
  }
  .card.run {
    --tone: var(--_accent);
  }
  p + p {
    margin-block-start: 4px;
  }
  .small {
    font-size: 0.89em;
  }
  .sub {
    margin-block: 10px 4px;
    color: var(--_muted);
    font-size: 0.89em;
    font-weight: 600;
  }
  .how .sub,
  .form .sub {
    color: var(--_text);
    font-size: 1em;
  }
  .badge .icon-16 {
    inline-size: 13px;
    block-size: 13px;
  }
  .badge code {
    font-size: 1em;
  }
  .badge {
    white-space: normal;
  }

  .head {
    padding: 14px 16px 12px;
  }
  .status {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 4px 12px;
    font-size: 0.93em;
  }
  .state {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    font-weight: 600;
    color: var(--_muted);
  }
  .wait .state,
  .run .state {
    color: var(--_accent);
  }
  .good .state {
    color: var(--_ok);
  }
  .warn .state {
    color: var(--_warn);
  }
  .bad .state {
    color: var(--_danger);
  }
  .left {
    display: inline-flex;
    align-items: center;
    gap: 5px;
    color: var(--_muted);
  }
  .left.soon {
    color: var(--_warn);
    font-weight: 600;
  }
  .left.last {
    padding: 0 8px;
    border-radius: 999px;
    background: var(--_danger-soft);
    color: var(--_danger);
    font-weight: 700;
  }
  .heading {
    margin-block: 8px 8px;
    font-size: 1.3em;
    font-weight: 650;
    line-height: 1.25;
    letter-spacing: -0.01em;
    text-wrap: balance;
  }
  .heading:focus {
    outline: none;
  }
  .heading:focus-visible {
    outline: 2px solid var(--_ring);
    outline-offset: 4px;
    border-radius: 2px;
  }
  .about {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 8px;
  }

  .main,
  .rail {
    padding-inline: 16px;
  }
  .how {
    margin-block-end: 4px;
  }
  .how.ok {
    border-inline-start-color: var(--_ok);
    background: var(--_ok-soft);
  }
  .note.accent {
    border-inline-start-color: var(--_accent);
    background: var(--_accent-soft);
  }
  .how .muted,
  .how .checks .muted {
    color: var(--_text);
  }
  .how .icon-16,
  .note .icon-16 {
    vertical-align: -3px;
  }
  .hidden-note {
    margin-block-end: 8px;
  }

  .part {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 6px;
    padding-block: 12px;
    border-block-start: 1px solid var(--_border);
  }
  .how + .part {
    border-block-start: 0;
  }
  .title {
    color: var(--_muted);
    font-size: 0.89em;
    font-weight: 600;
  }
  .body {
    position: relative;
    min-inline-size: 0;
  }
  .lead {
    font-size: 1.04em;
  }
  .lead code,
  .params dt code {
    color: var(--_muted);
  }
  code {
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
  .target {
    padding: 1px 6px;
    border-radius: var(--_radius-small);
    background: var(--_accent-soft);
    color: var(--_accent);
    font-weight: 600;
  }
  .unseen {
    margin-inline: 1px;
    padding: 0 3px;
    border: 1px solid var(--_danger);
    border-radius: 3px;
    background: var(--_danger-soft);
    color: var(--_danger);
    font-family: var(--_mono);
    font-size: 0.86em;
    font-weight: 600;
    white-space: nowrap;
  }

  .params,
  .pairs {
    display: grid;
    gap: 6px;
    margin-block: 8px 0;
  }
  .params {
    grid-template-columns: minmax(72px, max-content) minmax(0, 1fr);
    column-gap: 12px;
  }
  .params > div {
    display: grid;
    grid-column: 1 / -1;
    grid-template-columns: subgrid;
  }
  .params dd .small {
    display: block;
  }
  .value {
    font-weight: 600;
  }
  .pairs > div {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
  }
  .pairs dt {
    color: var(--_muted);
    font-size: 0.89em;
  }

  figure {
    margin-block-start: 10px;
  }
  figcaption {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 4px 12px;
    min-block-size: 26px;
    color: var(--_muted);
    font-size: 0.89em;
  }
  pre {
    padding: 10px 12px;
    border: 1px solid var(--_border);
    border-radius: var(--_radius-small);
    background: var(--_code);
    font-size: 0.89em;
    line-height: 1.55;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    tab-size: 2;
  }
  pre.diff {
    padding-inline: 0;
  }
  pre.diff > span {
    display: block;
    padding-inline: 12px;
  }
  .diff .added {
    background: var(--_ok-soft);
    color: var(--_ok);
  }
  .diff .removed {
    background: var(--_danger-soft);
    color: var(--_danger);
  }
  .diff .place {
    color: var(--_muted);
  }
  .folded {
    position: relative;
    max-block-size: 15em;
    overflow: hidden;
    overflow: clip;
    border-end-start-radius: var(--_radius-small);
    border-end-end-radius: var(--_radius-small);
    border-block-end: 2px dashed var(--_border-strong);
  }
  .unfold {
    margin-block-start: 8px;
  }

  table {
    inline-size: 100%;
    border-collapse: collapse;
  }
  th,
  td {
    padding: 5px 12px 5px 0;
    border-block-end: 1px solid var(--_border);
    text-align: start;
    vertical-align: top;
    font-weight: 400;
  }
  th:last-child,
  td:last-child {
    padding-inline-end: 0;
  }
  thead th {
    padding-block-start: 0;
    color: var(--_muted);
    font-size: 0.89em;
  }
  th {
    overflow-wrap: normal;
  }
  .becomes {
    position: relative;
    padding-inline-start: 20px;
  }
  .becomes code {
    font-weight: 700;
  }
  .becomes .icon-16 {
    position: absolute;
    inset-block-start: 9px;
    inset-inline-start: 0;
    inline-size: 13px;
    block-size: 13px;
    color: var(--_muted);
  }
  thead th:last-child {
    padding-inline-start: 20px;
  }
  [dir="rtl"] .becomes .icon-16,
  :host(:dir(rtl)) .becomes .icon-16 {
    transform: scaleX(-1);
  }
  table + .sub,
  table + .muted,
  figure + .muted,
  .facts + .muted {
    margin-block-start: 8px;
  }
  ul,
  ol {
    padding: 0;
    list-style: none;
  }
  .plain {
    display: grid;
    gap: 3px;
  }
  .plain > li {
    position: relative;
    padding-inline-start: 14px;
  }
  .plain > li::before {
    content: "";
    position: absolute;
    inset-block-start: 0.62em;
    inset-inline-start: 2px;
    inline-size: 5px;
    block-size: 5px;
    border-radius: 50%;
    background: var(--_border-strong);
  }
  .facts {
    display: flex;
    flex-wrap: wrap;
    gap: 4px 16px;
  }
  .facts span {
    color: var(--_muted);
  }

  .voice {
    padding: 10px 12px;
    border-inline-start: 3px solid var(--_border);
    border-radius: var(--_radius-small);
    background: var(--_surface);
  }
  .evidence,
  .checks {
    display: grid;
    gap: 10px;
  }
  .evidence > li,
  .checks > li {
    display: grid;
    grid-template-columns: max-content minmax(0, 1fr);
    gap: 10px;
    align-items: start;
  }
  .evidence > li {
    grid-template-columns: 48px minmax(0, 1fr);
  }
  .evidence .badge.mono {
    justify-self: start;
    white-space: nowrap;
  }
  .evidence p + p,
  .checks p + p {
    margin-block-start: 1px;
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
  .verdict {
    font-weight: 600;
  }
  .checks + p {
    margin-block-start: 10px;
  }

  details.background {
    border-block-start: 1px solid var(--_border);
  }
  details.background > summary {
    padding-block: 10px;
  }
  details.background > .part:first-of-type {
    border-block-start: 0;
    padding-block-start: 2px;
  }
  summary {
    min-block-size: 24px;
    color: var(--_muted);
    font-weight: 500;
    cursor: pointer;
  }
  summary:hover {
    color: var(--_text);
  }

  .rail {
    padding-block-end: 14px;
  }
  .fingerprint {
    font-size: 0.93em;
  }
  .fingerprint code {
    color: var(--_text);
  }
  .fingerprint .digest {
    display: block;
    margin-block: 4px;
    padding: 6px 8px;
    border-radius: var(--_radius-small);
    background: var(--_code);
  }

  .actions {
    display: grid;
    gap: 10px;
    margin-block-end: 12px;
    padding-block: 14px 2px;
    border-block-start: 1px solid var(--_border);
  }
  .wide {
    inline-size: 100%;
    min-block-size: 40px;
    font-weight: 600;
  }
  .approve[aria-disabled="true"],
  .approve[aria-disabled="true"]:hover {
    border-color: var(--_border);
    background: var(--_surface);
    color: var(--_muted);
  }
  .risk-high .approve:not([aria-disabled="true"]),
  .risk-high .approve:not([aria-disabled="true"]):hover:not(:disabled) {
    background: var(--_danger-fill);
  }
  .approve span {
    text-wrap: balance;
  }
  .actions .clock {
    display: none;
    margin: 0;
  }
  .obstacle {
    min-block-size: 1.5em;
  }
  .others {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(72px, 1fr));
    gap: 8px;
  }
  .others .button[aria-expanded="true"] {
    border-color: var(--_accent);
    color: var(--_accent);
  }
  .link {
    display: inline-block;
    min-block-size: 24px;
    padding: 0 2px;
    border: 0;
    background: none;
    color: var(--_accent);
    text-decoration: underline;
    text-underline-offset: 2px;
    cursor: pointer;
  }
  .form {
    display: grid;
    gap: 10px;
    padding: 12px;
    border: 1px solid var(--_border);
    border-radius: var(--_radius-small);
    background: var(--_surface);
  }
  .form p {
    margin: 0;
  }
  .form label > span,
  .typing > span,
  .input label {
    display: block;
    margin-block-end: 4px;
  }
  textarea.field {
    display: block;
    resize: vertical;
    min-block-size: 56px;
  }
  .presets {
    display: flex;
    flex-wrap: wrap;
    gap: 6px;
  }
  .chosen {
    border-color: var(--_accent);
    background: var(--_accent-soft);
    color: var(--_accent);
  }
  .input p {
    margin-block-start: 3px;
  }
  .wrong {
    color: var(--_danger);
  }
  .wrong .icon-16 {
    inline-size: 13px;
    block-size: 13px;
    vertical-align: -2px;
  }
  .send {
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
  }
  .end {
    position: absolute;
    inset-block-end: 0;
    inset-inline-start: 0;
    inline-size: 1px;
    block-size: 1px;
  }
  .end:focus-visible {
    inline-size: 100%;
    outline-offset: 0;
  }

  @container card (min-width: 560px) {
    .head {
      padding: 18px 22px 14px;
    }
    .main,
    .rail {
      padding-inline: 22px;
    }
    .part {
      grid-template-columns: 128px minmax(0, 1fr);
      gap: 16px;
    }
    .title {
      padding-block-start: 1px;
    }
    .pairs > div {
      grid-template-columns: 148px minmax(0, 1fr);
      gap: 12px;
    }
    .pairs dt {
      padding-block-start: 1px;
    }
  }

  @container card (min-width: 900px) {
    .card {
      display: grid;
      grid-template-columns: minmax(0, 1fr) 376px;
    }
    .card.ended {
      display: block;
      max-inline-size: 880px;
      margin-inline: auto;
    }
    .ended .rail {
      position: static;
      padding: 0 28px 20px;
    }
    .head {
      grid-column: 1 / -1;
      padding: 22px 28px 18px;
    }
    .heading {
      font-size: 1.6em;
    }
    .main {
      padding-inline: 28px;
      padding-block-end: 20px;
    }
    .rail {
      position: sticky;
      inset-block-start: var(--countersign-rail-top, 16px);
      align-self: start;
      max-block-size: calc(100vh - 32px - var(--countersign-rail-top, 16px));
      overflow-y: auto;
      padding-inline: 4px 28px;
    }
    .actions {
      margin-block-start: 0;
      padding: 16px;
      border: 1px solid var(--_border);
      border-radius: var(--_radius);
      background: var(--_surface);
    }
    .form {
      padding: 0;
      border: 0;
    }
    .actions .clock {
      display: block;
    }
    .part {
      padding-block: 14px;
    }
  }

  @container card (max-width: 559px) {
    /* What sticks has to lie in the whole card, not in the rail alone. */
    .rail {
      display: contents;
    }
    .actions,
    .fingerprint {
      margin-inline: 16px;
    }
    .fingerprint {
      padding-block-end: 14px;
    }
    .stuck {
      position: sticky;
      inset-block-end: 0;
      z-index: 1;
      margin-inline: 0;
      padding: 12px 16px max(12px, env(safe-area-inset-bottom));
      background: var(--_raised);
      box-shadow: 0 -6px 16px light-dark(rgb(20 28 40 / 8%), rgb(0 0 0 / 35%));
    }
    .others .button {
      min-block-size: 40px;
    }
    .wide {
      min-block-size: 44px;
    }
  }
`;
