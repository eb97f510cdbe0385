/** An incident's state as sign and words. */
import { type TemplateResult, html } from "lit";
import { toneIcon } from "../card/icons";
import { tone } from "../card/states";
import type { IncidentState } from "../types";
import type { ConsoleWords } from "./words";

export function stateOf(state: IncidentState, say: ConsoleWords): TemplateResult {
  const kind = tone(state);
  return html`<span class="tone ${kind}">
    ${state === "investigating" || state === "executing" ? html`<span class="spinner" aria-hidden="true"></span>` : toneIcon(kind)}
    ${say(`incident.${state}`)}
  </span>`;
}
