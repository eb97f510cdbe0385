/**
 * The lexer as `widget.js` has it: a file of its own, fetched when a conversation is first shown, so that a page pays for it only then.
 *
 * The file's hash is built in, so that Subresource Integrity of `widget.js` covers this script as well. Until it is there, and where it
 * cannot be had, a text is read as plain paragraphs.
 */
import type { Token } from "marked";

declare const LEXER_INTEGRITY: string;

let lexer: ((text: string) => Token[]) | null = null;
let waiting: (() => void)[] = [];
let begun = false;

export function lex(text: string): Token[] {
  if (lexer) return lexer(text);
  return text.split(/(?<=\n\n)/).map((raw) => ({ type: "paragraph", raw, text: raw, tokens: [{ type: "text", raw, text: raw.trim() }] }));
}

export const ready = (): boolean => lexer !== null;

export function whenReady(call: () => void): void {
  if (!lexer) waiting.push(call);
  if (!begun) void load();
}

async function load(): Promise<void> {
  begun = true;
  const url = new URL("/assets/lexer.js", import.meta.url).href;
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.integrity = LEXER_INTEGRITY;
  link.crossOrigin = "anonymous";
  link.href = url;
  const checked = new Promise<boolean>((resolve) => {
    link.onload = (): void => resolve(true);
    link.onerror = (): void => resolve(false);
  });
  document.head.append(link);
  if (!(await checked)) return;
  const module = (await import(/* @vite-ignore */ url)) as { lex: (text: string) => Token[] };
  lexer = module.lex;
  for (const call of waiting) call();
  waiting = [];
}
