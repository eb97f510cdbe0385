/** The console's frame: rooms on the left, on a phone below. */
import { css } from "lit";

export const consoleStyles = css`
  .root {
    min-block-size: 100vh;
    background: var(--_background);
  }
  .live {
    display: inline-flex;
    align-items: center;
    gap: 6px;
  }
  .live::before {
    content: "";
    inline-size: 8px;
    block-size: 8px;
    border-radius: 50%;
    background: var(--_ok);
  }
  .frame {
    display: grid;
    grid-template-columns: 200px minmax(0, 1fr);
    align-items: start;
  }
  .rooms {
    position: sticky;
    inset-block-start: 52px;
    display: grid;
    gap: 2px;
    padding: 20px 12px;
  }
  .rooms a {
    display: flex;
    align-items: center;
    gap: 10px;
    min-block-size: 36px;
    padding: 0 12px;
    border-radius: var(--_radius-small);
    color: var(--_muted);
    font-weight: 500;
    text-decoration: none;
  }
  .rooms a:hover {
    background: var(--_hover);
    color: var(--_text);
  }
  .rooms a[aria-current] {
    background: var(--_accent-soft);
    color: var(--_accent);
  }
  .count {
    margin-inline-start: auto;
    min-inline-size: 22px;
    padding: 0 6px;
    border-radius: 999px;
    background: var(--_fill);
    color: var(--_on-fill);
    font-size: 0.86em;
    font-weight: 600;
    line-height: 22px;
    text-align: center;
  }
  .content {
    min-inline-size: 0;
    max-inline-size: 1240px;
    padding: 24px 28px 56px 16px;
  }
  .content.alone {
    margin-inline: auto;
    padding: 24px;
  }
  .content:focus {
    outline: none;
  }
  @media (max-width: 900px) {
    .frame {
      grid-template-columns: minmax(0, 1fr);
    }
    .rooms {
      position: fixed;
      inset: auto 0 0;
      z-index: 10;
      grid-auto-flow: column;
      grid-auto-columns: 1fr;
      padding: 4px 8px max(4px, env(safe-area-inset-bottom));
      border-block-start: 1px solid var(--_border);
      background: var(--_raised);
    }
    .rooms a {
      position: relative;
      flex-direction: column;
      justify-content: center;
      gap: 2px;
      min-block-size: 48px;
      padding: 4px;
      font-size: 0.86em;
    }
    .count {
      position: absolute;
      inset-block-start: 2px;
      inset-inline-start: calc(50% + 6px);
      min-inline-size: 18px;
      padding: 0 4px;
      line-height: 18px;
    }
    .content {
      padding: 16px 14px 88px;
    }
    .live {
      display: none;
    }
  }
`;
