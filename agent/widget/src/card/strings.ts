/** How text from elsewhere is put on the screen: as text, isolated in its direction, with nothing hidden in it. */
import { type TemplateResult, html } from "lit";
import { type Shown, visible, visibleLine } from "./visible";

function drawn(parts: readonly Shown[]): unknown[] {
  return parts.map((part) =>
    part.kind === "text" ? part.text : html`<span class="unseen" title=${part.name ?? ""}>${part.text}</span>`,
  );
}

/** A value on one line. */
export function line(text: string): TemplateResult {
  return html`<bdi>${drawn(visibleLine(text))}</bdi>`;
}

/** Text of several lines, for a place that keeps line breaks. */
export function block(text: string): TemplateResult {
  return html`<bdi>${drawn(visible(text))}</bdi>`;
}

export interface DiffLine {
  readonly kind: "added" | "removed" | "place" | "same";
  readonly text: string;
}

/** Split a unified diff into lines with what each means; a line keeps its sign. */
export function diffLines(diff: string): DiffLine[] {
  const lines = diff.replace(/\n+$/, "").split("\n");
  // "--- " heads a file only when "+++ " follows; else it is a removed line that begins with two dashes.
  const heads = (at: number): boolean =>
    (lines[at]?.startsWith("--- ") ?? false) && (lines[at + 1]?.startsWith("+++ ") ?? false);
  return lines.map((text, at) => ({
    kind:
      /^(@@|diff |index )/.test(text) || heads(at) || heads(at - 1)
        ? "place"
        : text.startsWith("+")
          ? "added"
          : text.startsWith("-")
            ? "removed"
            : "same",
    text,
  }));
}
