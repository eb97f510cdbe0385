/**
 * Markdown without HTML: marked's lexer makes tokens, this makes Lit templates of them. No string is ever parsed as HTML.
 *
 * Raw HTML is shown as text, an image is a link (nothing is fetched that the reader did not ask for), a link goes to http, https or mail
 * only. Characters that hide or reorder text are made visible. `[1]` and `[E3]` become what the caller makes of them.
 */
import { html, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import type { Token, Tokens } from "marked";
import { visible } from "./card/visible";
import { lex, ready } from "./lexer";

export interface MarkdownContext {
  /** A citation `[3]` of a source or `[E3]` of a piece of evidence; `null` leaves it as text. */
  cite?(label: string): TemplateResult | null;
  copy?(text: string): void;
  words: { copy: string; image: string; table: string; code: string };
}

/** A top-level block: `key` is where it starts in the text, so a block keeps its key while text is appended. */
export interface Block {
  key: number;
  raw: string;
  token: Token;
}

type Content = TemplateResult | string | typeof nothing | Content[];

/** What is longer or deeper than this is shown as plain text: no person wrote it, and a lexer's time is not free. */
const LONGEST = 200_000;
const DEEPEST = 12;

function tokens(text: string): Token[] {
  const plain = [{ type: "paragraph", raw: text, text, tokens: [{ type: "text", raw: text, text }] } as Token];
  if (text.length > LONGEST || /(?:[>*+-] ?){40}/.test(text)) return plain;
  try {
    return lex(text);
  } catch {
    return plain;
  }
}

function blocksOf(text: string, from: number): Block[] {
  const blocks: Block[] = [];
  let at = from;
  for (const token of tokens(text)) {
    if (token.type !== "space") blocks.push({ key: at, raw: token.raw, token });
    at += token.raw.length;
  }
  return blocks;
}

/**
 * The blocks of a text that grows at its end. Blocks before the last one of all complete lines can no longer change, so only what follows
 * is lexed again, and finished blocks stay the same objects (and keep their DOM).
 */
export class GrowingMarkdown {
  private text = "";
  private done: Block[] = [];
  private doneTo = 0;
  private shown: Block[] = [];
  private wasReady = ready();

  /** The blocks of `text`; `whole` lexes everything once more, for a text that has ended. */
  blocks(text: string, whole = false): Block[] {
    const anew = this.wasReady !== ready();
    this.wasReady = ready();
    if (text === this.text && !whole && !anew) return this.shown;
    if (anew || !text.startsWith(this.text)) {
      this.done = [];
      this.doneTo = 0;
    }
    this.text = text;
    if (whole) {
      this.shown = keep(this.shown, blocksOf(text, 0));
      return this.shown;
    }
    const lines = text.lastIndexOf("\n") + 1;
    if (lines > this.doneTo) {
      const settled = blocksOf(text.slice(this.doneTo, lines), this.doneTo);
      const last = settled.pop();
      if (last && settled.length > 0) {
        this.done = [...this.done, ...keep(this.shown, settled)];
        this.doneTo = last.key;
      }
    }
    this.shown = [...this.done, ...keep(this.shown, blocksOf(text.slice(this.doneTo), this.doneTo))];
    return this.shown;
  }
}

/** `next`, with each block that reads as before replaced by the object it was. */
function keep(before: Block[], next: Block[]): Block[] {
  const old = new Map(before.map((block) => [block.key, block]));
  return next.map((block) => {
    const known = old.get(block.key);
    return known && known.raw === block.raw && known.token.type === block.token.type ? known : block;
  });
}

/** Blocks as templates, each with a key of its own; `stamp` is what else a block's look depends on (such as the sources known). */
export function renderBlocks(blocks: Block[], context: MarkdownContext, stamp: unknown = null): unknown {
  return repeat(
    blocks,
    (block) => block.key,
    (block) => html`${guard([block, stamp], () => renderBlock(block.token, context, 0))}`,
  );
}

/** A whole text at once. */
export function renderMarkdown(text: string, context: MarkdownContext): unknown {
  return renderBlocks(blocksOf(text, 0), context);
}

function renderBlock(token: Token, context: MarkdownContext, depth: number): Content {
  if (depth > DEEPEST) return html`<p>${shown(token.raw)}</p>`;
  switch (token.type) {
    case "space":
    case "def":
      return nothing;
    case "heading":
      return html`<h3 class="h h${Math.min(4, (token as Tokens.Heading).depth)}">${inline(token, context, depth)}</h3>`;
    case "paragraph":
      return html`<p>${inline(token, context, depth)}</p>`;
    case "text":
      return (token as Tokens.Text).tokens ? html`<span>${inline(token, context, depth)}</span>` : text(token, context);
    case "code":
      return renderCode(token as Tokens.Code, context);
    case "blockquote":
      return html`<blockquote>${children(token, context, depth)}</blockquote>`;
    case "list":
      return renderList(token as Tokens.List, context, depth);
    case "table":
      return renderTable(token as Tokens.Table, context, depth);
    case "hr":
      return html`<hr />`;
    default:
      return html`<p class="raw">${shown(token.raw.trim())}</p>`;
  }
}

function children(token: Token, context: MarkdownContext, depth: number): Content[] {
  const within = (token as { tokens?: Token[] }).tokens ?? [];
  return within.map((child) => renderBlock(child, context, depth + 1));
}

function renderCode(token: Tokens.Code, context: MarkdownContext): TemplateResult {
  const language = (token.lang ?? "").split(/\s/)[0] ?? "";
  const copy = context.copy;
  return html`<div class="code">
    <div class="code-bar">
      <span class="code-lang" dir="ltr">${shown(language)}</span>
      ${copy
        ? html`<button type="button" class="button quiet small" @click=${(): void => copy(harmless(token.text))}>${context.words.copy}</button>`
        : nothing}
    </div>
    <pre dir="ltr" tabindex="0" role="region" aria-label=${context.words.code}><code>${shown(token.text)}</code></pre>
  </div>`;
}

function renderList(token: Tokens.List, context: MarkdownContext, depth: number): TemplateResult {
  const items = token.items.map(
    (item) =>
      html`<li class=${item.task ? "task" : nothing}>${item.task ? (item.checked ? "☑ " : "☐ ") : nothing}${itemContent(item, context, depth)}</li>`,
  );
  const start = typeof token.start === "number" && token.start !== 1 ? token.start : nothing;
  return token.ordered ? html`<ol start=${start}>${items}</ol>` : html`<ul>${items}</ul>`;
}

function itemContent(item: Tokens.ListItem, context: MarkdownContext, depth: number): Content[] {
  return item.tokens.filter((child) => child.type !== "checkbox").map((child) => renderBlock(child, context, depth + 1));
}

function renderTable(token: Tokens.Table, context: MarkdownContext, depth: number): TemplateResult {
  const side = (align: string | null): string | typeof nothing => (align ? `to-${align}` : nothing);
  return html`<div class="table" tabindex="0" role="region" aria-label=${context.words.table}>
    <table>
      <thead>
        <tr>
          ${token.header.map((cell) => html`<th scope="col" class=${side(cell.align)}>${inline(cell, context, depth)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${token.rows.map(
          (row) => html`<tr>
            ${row.map((cell) => html`<td class=${side(cell.align)}>${inline(cell, context, depth)}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function inline(parent: { tokens?: Token[] | undefined }, context: MarkdownContext, depth: number): Content[] {
  return (parent.tokens ?? []).map((token) => renderInline(token, context, depth + 1));
}

function renderInline(token: Token, context: MarkdownContext, depth: number): Content {
  if (depth > DEEPEST * 2) return shown(token.raw);
  switch (token.type) {
    case "text":
      return (token as Tokens.Text).tokens ? inline(token as Tokens.Text, context, depth) : text(token, context);
    case "escape":
      return shown(decode((token as Tokens.Escape).text));
    case "strong":
      return html`<strong>${inline(token as Tokens.Strong, context, depth)}</strong>`;
    case "em":
      return html`<em>${inline(token as Tokens.Em, context, depth)}</em>`;
    case "del":
      return html`<del>${inline(token as Tokens.Del, context, depth)}</del>`;
    case "codespan":
      return html`<code dir="ltr">${shown((token as Tokens.Codespan).text)}</code>`;
    case "br":
      return html`<br />`;
    case "link":
      return renderLink((token as Tokens.Link).href, inline(token as Tokens.Link, context, depth), token.raw);
    case "image": {
      const image = token as Tokens.Image;
      return renderLink(image.href, shown(`${context.words.image}: ${image.text || image.href}`), token.raw);
    }
    default:
      return shown(token.raw);
  }
}

function renderLink(href: string, label: Content, raw: string): Content {
  const safe = safeHref(href);
  if (!safe) return shown(raw);
  return html`<a href=${safe} title=${safe} target="_blank" rel="noopener noreferrer nofollow">${label}</a>`;
}

/** The address, normalised, if a reader may follow it; else `null`. Relative ones, and those with a password in them, are not followed. */
export function safeHref(href: string): string | null {
  let url: URL;
  try {
    url = new URL(decode(href));
  } catch {
    return null;
  }
  if (!["http:", "https:", "mailto:"].includes(url.protocol)) return null;
  return url.username || url.password ? null : url.href;
}

const CITATION = /\[(\d{1,3}|E\d{1,4})\]/g;

function text(token: Token, context: MarkdownContext): Content {
  const said = decode((token as { text?: string }).text ?? token.raw);
  if (!context.cite || !said.includes("[")) return shown(said);
  const parts: Content[] = [];
  let from = 0;
  for (const hit of said.matchAll(CITATION)) {
    const cited = context.cite(hit[1] ?? "");
    if (!cited) continue;
    parts.push(shown(said.slice(from, hit.index)), cited);
    from = hit.index + hit[0].length;
  }
  parts.push(shown(said.slice(from)));
  return parts;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

/** The few character references that texts use; any other stays as it was written. */
function decode(said: string): string {
  if (!said.includes("&")) return said;
  return said.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,6}));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name) return ENTITIES[name] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex ?? "", 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** Harmless in running text though nothing is drawn for them. */
const BENIGN: Readonly<Record<string, string>> = { "U+0009": "\t", "U+00A0": "\u00a0", "U+202F": "\u202f", "U+000D": "" };
const JOINERS: Readonly<Record<string, string>> = { "U+FE0F": "\ufe0f", "U+200D": "\u200d" };
// Printable ASCII, Latin letters and the usual typography need no second look.
const ORDINARY = /^[\n\t\u0020-\u007e\u00a1-\u00ac\u00ae-\u034e\u2010-\u2027\u2030-\u205e]*$/;

/** Text with every hidden or reordering character shown as its code point. Joiners within an emoji stay. */
export function shown(said: string): Content {
  if (ORDINARY.test(said)) return said;
  const parts: Content[] = [];
  let before = "";
  for (const part of visible(said)) {
    const kept =
      part.kind === "text"
        ? part.text
        : (BENIGN[part.text] ?? (/\p{Extended_Pictographic}\ufe0f?$/u.test(before) ? JOINERS[part.text] : undefined));
    if (kept === undefined) {
      parts.push(before, html`<span class="hidden-mark" title=${part.name ?? ""}>${part.text}</span>`);
      before = "";
    } else {
      before += kept;
    }
  }
  parts.push(before);
  return parts.length === 1 ? before : parts;
}

/** A text for the clipboard without characters that a terminal would obey and a reader not see. */
export function harmless(said: string): string {
  return visible(said)
    .map((part) => (part.kind === "text" ? part.text : (BENIGN[part.text] ?? JOINERS[part.text] ?? "")))
    .join("");
}
