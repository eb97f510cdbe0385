/**
 * Build steps that make the scripts smaller and change nothing that anybody sees.
 *
 * `templates`: the indentation inside `html`, `svg` and `css` templates is for people who read the source.
 * `lexerOnly`: of marked only the lexer is used; the parser, the renderer and their instance are left out.
 * `germanLater`: `widget.js` carries English; the words of another language are a file of their own.
 * `lexerLater`: and so is the Markdown lexer, which `widget.js` knows by its hash.
 */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Plugin, transformWithOxc } from "vite";

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

type Edit = [start: number, end: number, text: string];

function apply(code: string, edits: Edit[]): string {
  return edits.sort((a, b) => b[0] - a[0]).reduce((text, [start, end, to]) => text.slice(0, start) + to + text.slice(end), code);
}

function walk(node: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(node)) {
    for (const one of node) walk(one, visit);
  } else if (typeof node === "object" && node !== null) {
    if (typeof (node as Node).type === "string") visit(node as Node);
    for (const value of Object.values(node)) walk(value, visit);
  }
}

/** CSS without comments and without space that separates nothing. Space around `+`, `-` and before `(`, `[`, `:` can mean something. */
export function tightCss(css: string): string {
  return css
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,]) ?/g, "$1")
    .replace(/: /g, ":")
    .replace(/;}/g, "}");
}

/** HTML with each line break and its indentation as one space, or none where a tag ends anyway. */
export function tightHtml(html: string): string {
  return html.replace(/\s*\n\s*/g, " ").replace(/ >/g, ">");
}

export function templates(): Plugin {
  return {
    name: "countersign:templates",
    transform(code, id) {
      if (!id.includes("/src/") || !/\b(?:html|svg|css)`/.test(code)) return null;
      const edits: Edit[] = [];
      walk(this.parse(code), (node) => {
        if (node.type !== "TaggedTemplateExpression") return;
        const tag = (node["tag"] as Node)["name"];
        if (tag !== "html" && tag !== "svg" && tag !== "css") return;
        for (const part of (node["quasi"] as Node)["quasis"] as Node[]) {
          const raw = (part["value"] as { raw: string }).raw;
          // Where the node begins differs between parsers (with or without the quote): look for the text itself.
          const start = code.indexOf(raw, part.start - 1);
          edits.push([start, start + raw.length, tag === "css" ? tightCss(raw) : tightHtml(raw)]);
        }
      });
      return { code: apply(code, edits), map: null };
    },
  };
}

/** Keeps of marked's module what its lexer and tokenizer reach by name; the parser, the renderer and the instance go. */
export function lexerOnly(): Plugin {
  return {
    name: "countersign:lexer-only",
    transform(code, id) {
      if (!id.endsWith("/marked/lib/marked.esm.js")) return null;
      const { body } = this.parse(code) as unknown as { body: Node[] };
      const parts: { names: string[]; node: Node; kind: string }[] = [];
      const wanted = new Map<string, string>();
      for (const statement of body) {
        if (statement.type === "FunctionDeclaration") parts.push({ names: [nameOf(statement["id"])], node: statement, kind: "" });
        if (statement.type === "VariableDeclaration") {
          for (const one of statement["declarations"] as Node[]) parts.push({ names: [nameOf(one["id"])], node: one, kind: "var " });
        }
        if (statement.type === "ExportNamedDeclaration") {
          for (const one of statement["specifiers"] as Node[]) wanted.set(nameOf(one["exported"]), nameOf(one["local"]));
        }
      }
      const [lexer, tokenizer] = [wanted.get("Lexer"), wanted.get("Tokenizer")];
      if (!lexer || !tokenizer) throw new Error("marked no longer exports Lexer and Tokenizer as it did");
      const reached = new Set<string>();
      const open = [lexer, tokenizer];
      for (let name = open.pop(); name !== undefined; name = open.pop()) {
        if (reached.has(name)) continue;
        reached.add(name);
        for (const part of parts) {
          if (!part.names.includes(name)) continue;
          walk(part.node, (node) => {
            if (node.type === "Identifier") open.push(nameOf(node));
          });
        }
      }
      const kept = parts.filter((part) => part.names.some((name) => reached.has(name)));
      const text = kept.map((part) => `${part.kind}${code.slice(part.node.start, part.node.end)};`).join("\n");
      return { code: `${text}\nexport{${lexer} as Lexer,${tokenizer} as Tokenizer};`, map: null };
    },
  };
}

function nameOf(node: unknown): string {
  return String((node as { name?: unknown }).name);
}

/** In `widget.js` a translated catalogue is an object that fills when its file arrives; the file holds the rooms that the script has. */
export function germanLater(): Plugin {
  const folder = fileURLToPath(new URL("../src/text/de", import.meta.url));
  const rooms = new Set<string>();
  return {
    name: "countersign:german-later",
    load(id) {
      if (!id.startsWith(`${folder}/`)) return null;
      const name = basename(id, ".ts");
      rooms.add(name);
      return `import { later } from "../later"; export const de = later(${JSON.stringify(name)});`;
    },
    async generateBundle() {
      const words: Record<string, unknown> = {};
      for (const file of readdirSync(folder).sort()) {
        const name = basename(file, ".ts");
        if (!rooms.has(name)) continue;
        const { code } = await transformWithOxc(readFileSync(`${folder}/${file}`, "utf8"), file);
        const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { de: unknown };
        words[name] = module.de;
      }
      this.emitFile({ type: "asset", fileName: "widget.de.json", source: JSON.stringify(words) });
    },
  };
}

/** Puts the stand-in for the lexer into `widget.js`, with the hash of the lexer's own file (built before) in it. */
export function lexerLater(): Plugin {
  const source = fileURLToPath(new URL("../src/lexer.ts", import.meta.url));
  const standIn = fileURLToPath(new URL("../src/widget/lexer.ts", import.meta.url));
  let folder = "";
  return {
    name: "countersign:lexer-later",
    enforce: "pre",
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
    },
    async resolveId(id, importer) {
      if (importer === standIn) return null;
      const found = await this.resolve(id, importer, { skipSelf: true });
      return found?.id === source ? standIn : null;
    },
    transform(code, id) {
      if (id !== standIn) return null;
      const hash = createHash("sha384").update(readFileSync(`${folder}/lexer.js`)).digest("base64");
      return { code: code.replace(/(?<!const )LEXER_INTEGRITY/g, JSON.stringify(`sha384-${hash}`)), map: null };
    },
  };
}
