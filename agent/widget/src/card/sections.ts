/** The parts of the card that say what it is about; none of them decides anything. */
import { type TemplateResult, html, nothing } from "lit";
import { age, localTime } from "../time";
import type { Card, CardCheck, Locale } from "../types";
import { old } from "./clock";
import { icon, riskIcon } from "./icons";
import { block, diffLines, line } from "./strings";
import type { CardWords } from "./words";

/** What a section needs besides the card. */
export interface Look {
  readonly say: CardWords;
  readonly locale: Locale;
  /** The server's time in milliseconds. */
  readonly now: number;
  readonly person: string;
  /** The level of the parts' headings. */
  readonly level: number;
  /** Whether the long part is folded, and what opens it. */
  folded(part: Foldable): boolean;
  fold(part: Foldable, to: boolean): void;
  copy(text: string, what: Copied): void;
  readonly copied: Copied | "";
}

export type Foldable = "exact" | "diff";
export type Copied = "fingerprint" | "exact";

/** More lines than this fold, and must be opened before an approval. */
export const MOST_LINES = 24;

const WRAPS_AT = 88;

/** How many lines `text` takes on the screen, wrapped: a long line must not slip by as one. */
export function lineCount(text: string): number {
  return text.split("\n").reduce((sum, one) => sum + Math.max(1, Math.ceil(one.length / WRAPS_AT)), 0);
}

/** Which parts of the card are long enough to fold. */
export function foldable(card: Pick<Card, "exact" | "diff">): Foldable[] {
  const long: Foldable[] = [];
  if (lineCount(card.exact) > MOST_LINES) long.push("exact");
  if (lineCount(card.diff) > MOST_LINES) long.push("diff");
  return long;
}

/** A section: its name in the margin, its content beside it. `mark` is the end that must have been on the screen. */
export function section(
  look: Pick<Look, "level">,
  name: string,
  title: string,
  content: unknown,
  mark: unknown = nothing,
): TemplateResult {
  return html`<div class="part ${name}">
    <div class="title" role="heading" aria-level=${look.level}>${title}</div>
    <div class="body">${content}${mark}</div>
  </div>`;
}

export function whatRuns(card: Card, look: Look): TemplateResult {
  const { say } = look;
  return html`
    <p class="lead"><b>${line(card.action_title)}</b> <code>${line(card.action)}</code></p>
    ${card.action_description ? html`<p class="muted">${described(card.action_description)}</p>` : nothing}
    <p>${say("on")} <code class="target">${line(card.target.name)}</code></p>
    ${card.params.length === 0
      ? html`<p class="muted">${say("no_params")}</p>`
      : html`<dl class="params">
          ${card.params.map(
            (one) => html`<div>
              <dt><code>${line(one.name)}</code></dt>
              <dd>
                <code class="value">${line(one.value)}</code>
                ${one.description ? html`<span class="muted small">${line(one.description)}</span>` : nothing}
              </dd>
            </div>`,
          )}
        </dl>`}
    <figure>
      <figcaption>
        <span>${say("exact")}</span>
        <button
          class="button quiet small"
          type="button"
          aria-label=${say("copy_exact")}
          @click=${() => look.copy(card.exact, "exact")}
        >
          ${icon(look.copied === "exact" ? "check" : "copy")} ${look.copied === "exact" ? say("copied") : say("copy")}
        </button>
      </figcaption>
      ${long(card.exact, "exact", html`<pre class="exact">${block(card.exact)}</pre>`, look)}
    </figure>
  `;
}

/** A sentence of the catalogue, with what stands between backticks as code. */
function described(text: string): unknown {
  return text.split("`").map((part, at) => (at % 2 === 1 ? html`<code>${line(part)}</code>` : line(part)));
}

export function whatChanges(card: Card, look: Look): TemplateResult {
  const { say } = look;
  const preview = card.effect.length > 0 || card.diff !== "";
  return html`
    ${preview ? nothing : html`<p>${say("no_preview")}</p>`}
    ${card.effect.length === 0
      ? nothing
      : html`<table>
          <thead>
            <tr>
              <th scope="col">${say("fact")}</th>
              <th scope="col">${say("before")}</th>
              <th scope="col">${say("after")}</th>
            </tr>
          </thead>
          <tbody>
            ${card.effect.map(
              (one) => html`<tr>
                <th scope="row">${line(one.name)}</th>
                <td><code>${line(one.before)}</code></td>
                <td class="becomes">${icon("arrow")}<code>${line(one.after)}</code></td>
              </tr>`,
            )}
          </tbody>
        </table>`}
    ${card.diff === ""
      ? nothing
      : html`<figure>
          <figcaption><span>${say("diff")}</span></figcaption>
          ${long(card.diff, "diff", html`<pre class="diff">${diffLines(card.diff).map((one) => html`<span class=${one.kind}>${block(one.text)}\n</span>`)}</pre>`, look)}
        </figure>`}
    ${card.unchanged.length === 0
      ? nothing
      : html`<p class="sub">${say("unchanged")}</p>
          <ul class="facts">
            ${card.unchanged.map((one) => html`<li><span>${line(one.name)}</span> <code>${line(one.value)}</code></li>`)}
          </ul>`}
    <p class="muted small">
      ${card.rehearsed_at
        ? html`<time datetime=${card.rehearsed_at} title=${localTime(card.rehearsed_at, look.locale)}
            >${say("rehearsed", { ago: age(card.rehearsed_at, look.now, look.locale) })}</time
          >`
        : say("not_rehearsed")}
    </p>
  `;
}

export function where(card: Card, look: Look): TemplateResult {
  const { say } = look;
  const { target } = card;
  return html`
    <p>
      <code class="target">${line(target.name)}</code>
      ${target.title && target.title !== target.name ? html`<span>${line(target.title)}</span>` : nothing}
      ${target.environment ? html`<span class="badge">${line(target.environment)}</span>` : nothing}
      ${target.kind ? html`<span class="badge">${line(target.kind)}</span>` : nothing}
    </p>
    <p class="muted">
      ${target.owner ? html`${line(say("owner", { owner: target.owner }))}.` : nothing}
      ${line(
        target.needed_by.length > 0
          ? say("needed_by", { n: target.needed_by.length, names: target.needed_by.join(", ") })
          : say("needed_by_none"),
      )}
    </p>
  `;
}

export function risk(card: Card, look: Look): TemplateResult {
  const { say } = look;
  return html`
    <p>
      ${riskBadge(card, look)}
      <span class="badge">${icon(card.risk.reversible ? "undo" : "warn")} ${say(card.risk.reversible ? "reversible" : "irreversible")}</span>
    </p>
    <p>${line(card.risk.why)}</p>
  `;
}

export function riskBadge(card: Pick<Card, "risk">, look: Pick<Look, "say">): TemplateResult {
  const style = { read_only: "", low: "ok", medium: "warn", high: "danger" }[card.risk.level] ?? "danger";
  return html`<span class="badge ${style}">${riskIcon(card.risk.level)} ${look.say(`risk.${card.risk.level}`)}</span>`;
}

export function undo(card: Card, look: Look): TemplateResult {
  return html`<p>
    ${card.undo.possible || card.risk.reversible ? nothing : html`<b>${look.say("undo_not")}</b> `}${line(card.undo.says)}
  </p>`;
}

export function afterwards(card: Card, look: Look): TemplateResult {
  return html`
    <ul class="plain">
      ${card.checks_afterwards.map((one) => html`<li>${line(one)}</li>`)}
    </ul>
    ${card.on_failure ? html`<p class="muted">${line(look.say("on_failure", { says: card.on_failure }))}</p>` : nothing}
  `;
}

export function why(card: Card, look: Look): TemplateResult {
  const { say } = look;
  const said = card.why;
  return html`<div class="voice">
    <p>${line(said.says)}</p>
    <dl class="pairs">
      <div><dt>${say("standing")}</dt><dd>${line(said.standing)} <span class="muted">(${line(say("reasoned", { who: said.by }))})</span></dd></div>
      ${said.page ? html`<div><dt>${say("page")}</dt><dd><code>${line(said.page)}</code> ${line(said.title)}</dd></div>` : nothing}
      ${several(say("other_causes"), said.other_causes)} ${several(say("missing"), said.missing)}
    </dl>
    <p class="muted small">${say("why_note")}</p>
  </div>`;
}

function several(title: string, all: readonly string[]): unknown {
  if (all.length === 0) return nothing;
  return html`<div>
    <dt>${title}</dt>
    <dd><ul class="plain">${all.map((one) => html`<li>${line(one)}</li>`)}</ul></dd>
  </div>`;
}

export function evidence(card: Card, look: Look): TemplateResult {
  if (card.evidence.length === 0) return html`<p class="muted">${look.say("no_evidence")}</p>`;
  return html`<ol class="evidence">
    ${card.evidence.map((one) => {
      const stale = card.state === "awaiting" && old(one.at, look.now);
      return html`<li>
        <span class="badge mono">${line(one.id)}</span>
        <div>
          <p><code>${line(one.tool)}</code> <b>${line(one.service)}</b></p>
          <p>${line(one.says)}</p>
          <p class="muted small">
            <time datetime=${one.at} title=${localTime(one.at, look.locale)}>${age(one.at, look.now, look.locale)}</time>
            · ${line(one.server)} ${stale ? html`<span class="badge warn">${icon("wait")} ${look.say("old")}</span>` : nothing}
          </p>
        </div>
      </li>`;
    })}
  </ol>`;
}

export function people(card: Card, look: Look): TemplateResult {
  const { say } = look;
  const name = (person: string): unknown =>
    person === look.person && person !== "" ? html`${line(person)} <span class="muted">(${say("you")})</span>` : line(person);
  return html`<dl class="pairs">
    <div><dt>${say("requester")}</dt><dd>${name(card.requester)}</dd></div>
    <div><dt>${say("author")}</dt><dd>${name(card.author)}</dd></div>
    <div>
      <dt>${say("may_approve")}</dt>
      <dd>
        ${card.may_approve.length === 0
          ? say("nobody")
          : html`${card.may_approve.map((one, at) => html`${at > 0 ? ", " : ""}${name(one)}`)}
              <span class="muted">(${say("needed", { n: card.needed })})</span>`}
      </dd>
    </div>
    <div><dt>${say("proposed_at")}</dt><dd><time datetime=${card.created_at}>${localTime(card.created_at, look.locale)}</time></dd></div>
  </dl>`;
}

export function fingerprint(card: Card, look: Look): TemplateResult {
  const { say } = look;
  return html`<details class="fingerprint">
    <summary><span>${say("fingerprint")}</span> <code>${card.short}</code></summary>
    <p><code class="digest">${card.digest}</code></p>
    <p class="muted small">
      ${say("fingerprint_more")}
      <button class="button quiet small" type="button" aria-label=${say("copy_fingerprint")} @click=${() => look.copy(card.digest, "fingerprint")}>
        ${icon(look.copied === "fingerprint" ? "check" : "copy")}
        ${look.copied === "fingerprint" ? say("copied") : say("copy")}
      </button>
    </p>
  </details>`;
}

/** Checks made after the fix: a sign, words, and what was seen. */
export function checks(all: readonly CardCheck[], look: Pick<Look, "say">): TemplateResult {
  return html`<ul class="checks">
    ${all.map(
      (one) => html`<li class=${one.ok ? "ok" : one.known ? "danger" : "warn"}>
        ${icon(one.ok ? "good" : one.known ? "bad" : "warn")}
        <div>
          <p><code>${line(one.tool)}</code> <b>${line(one.service)}</b> <span class="verdict">${look.say(one.ok ? "ok" : one.known ? "not_ok" : "not_checked")}</span></p>
          <p class="muted small">${line(one.says)}</p>
        </div>
      </li>`,
    )}
  </ul>`;
}

function long(text: string, part: Foldable, content: TemplateResult, look: Look): TemplateResult {
  const lines = lineCount(text);
  if (lines <= MOST_LINES) return content;
  const folded = look.folded(part);
  return html`<div class=${folded ? "folded" : "unfolded"} id=${`long-${part}`}>${content}</div>
    <button
      class="button small unfold"
      type="button"
      aria-expanded=${folded ? "false" : "true"}
      aria-controls=${`long-${part}`}
      @click=${() => look.fold(part, !folded)}
    >
      ${folded ? look.say("show_lines", { n: lines }) : look.say("fold")}
    </button>`;
}
