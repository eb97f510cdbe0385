import { html, render } from "lit";
import { describe, expect, it } from "vitest";
import { GrowingMarkdown, type MarkdownContext, harmless, renderBlocks, renderMarkdown, safeHref } from "../src/markdown";

const CONTEXT: MarkdownContext = {
  words: { copy: "Copy", image: "Image", table: "Table", code: "Code" },
  copy: () => undefined,
  cite: (label) => (["1", "2", "E3"].includes(label) ? html`<button class="cite">${label}</button>` : null),
};

function drawn(text: string): HTMLElement {
  const place = document.createElement("div");
  render(renderMarkdown(text, CONTEXT), place);
  return place;
}

/** What a reader's page may come to hold; anything else would be an element that the text asked for. */
const OURS = new Set(
  "A BLOCKQUOTE BR BUTTON CODE DEL DIV EM H3 HR LI OL P PRE SPAN STRONG TABLE TBODY TD TH THEAD TR UL".split(" "),
);

const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "a <b onmouseover=alert(1)>b</b> <svg/onload=alert(1)>",
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java\nscript:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](&#x6A;avascript:alert(1))",
  "[x](javascript&colon;alert(1))",
  "[x](data:text/html;base64,PHNjcmlwdD4=)",
  "[x](vbscript:msgbox)",
  "[x](file:///etc/passwd)",
  "[x](blob:https://a/b)",
  "[x](//evil.example/x)",
  "[x](/sign-out)",
  "[x](https://user:secret@evil.example/)",
  "[x](\u0001javascript:alert(1))",
  "<javascript:alert(1)>",
  "![x](https://evil.example/beacon.png)",
  "![x](javascript:alert(1))",
  "![x](x \"onerror=alert(1)\")",
  "[![x](https://evil.example/b.png)](javascript:alert(1))",
  "[x]: javascript:alert(1)\n\n[x]",
  "<!-- comment --><style>*{display:none}</style>",
  "`<img src=x onerror=alert(1)>`",
  "```html\n<script>alert(1)</script>\n```",
  "```\"><script>alert(1)</script>\ncode\n```",
  "| <script>alert(1)</script> | [x](javascript:alert(1)) |\n|---|---|\n| <img src=x onerror=alert(1)> | ![x](https://evil.example/p) |",
  "- [ ] <input autofocus onfocus=alert(1)>",
  "# <a href='javascript:alert(1)'>x</a>",
  "<a href='javascript:alert(1)'>x</a>",
  "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
  "{{constructor.constructor('alert(1)')()}} ${alert(1)}",
  "${html`<script>`} <?lit$123$?> <!--lit-part-->",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  ">".repeat(5000),
  `${"[".repeat(5000)}x`,
  "*".repeat(20000),
  `${"- ".repeat(300)}x`,
];

describe("hostile Markdown", () => {
  it.each(HOSTILE)("makes no element and no address of its own: %j", (text) => {
    for (const element of drawn(text).querySelectorAll("*")) {
      expect(OURS).toContain(element.tagName);
      for (const name of element.getAttributeNames()) expect(name).not.toMatch(/^on|^src|^style|^srcdoc/);
      const href = element.getAttribute("href");
      if (element.tagName === "A") expect(href).toMatch(/^(https?:\/\/|mailto:)/);
      else expect(href).toBeNull();
    }
  });

  it("shows raw HTML as the text it is", () => {
    expect(drawn("before <img src=x onerror=alert(1)> after").textContent).toContain("<img src=x onerror=alert(1)>");
    expect(drawn("<div>\nblock\n</div>").textContent).toContain("<div>");
  });

  it("fetches no image: it becomes a link", () => {
    const place = drawn("![a map](https://example.org/map.png)");
    expect(place.querySelector("img")).toBeNull();
    expect(place.querySelector("a")?.textContent).toBe("Image: a map");
  });

  it("lets a reader follow web and mail addresses only, and gives nothing away by it", () => {
    const link = drawn("[here](https://example.org/a?b=c)").querySelector("a");
    expect(link?.getAttribute("href")).toBe("https://example.org/a?b=c");
    expect(link?.getAttribute("rel")).toBe("noopener noreferrer nofollow");
    expect(safeHref("mailto:a@example.org")).toBe("mailto:a@example.org");
    expect(safeHref("https://a:b@example.org")).toBeNull();
    expect(safeHref("/relative")).toBeNull();
  });

  it("makes hidden and reordering characters visible, wherever they stand", () => {
    for (const text of ["a\u202eb", "a\u200bb", "`a\u2066b`", "```\na\u202eb\n```", "a&#x202e;b", "[a\u202eb](https://example.org)", "<b\u202e>"]) {
      const place = drawn(text);
      expect(place.querySelector(".hidden-mark")?.textContent).toMatch(/^U\+/);
      expect(place.textContent).not.toMatch(/[\u202e\u200b\u2066]/);
    }
    expect(drawn("fine: \u00e4\u00f6\u00fc \u2013 \u201cquoted\u201d\u00a0x \u2764\ufe0f \u5b57").querySelector(".hidden-mark")).toBeNull();
    expect(harmless("rm\u202e -rf\u200b\tx")).toBe("rm -rf\tx");
  });
});

describe("citations", () => {
  it("become buttons where something is known by that name, and stay text where not", () => {
    const place = drawn("pool exhausted [1][E3], not [7], `[1]` is code, [1]: says so");
    expect([...place.querySelectorAll(".cite")].map((one) => one.textContent)).toEqual(["1", "E3", "1"]);
    expect(place.textContent).toContain("[7]");
    expect(place.querySelector("code")?.textContent).toBe("[1]");
  });
});

const GROWING = `# Title

First paragraph [1] with *emphasis*
and a second line
# not a heading? a heading

- a

- b
  continued

  1. one
  2. two

| a | b |
|---|---|
| 1 | 2 |

> quoted
lazy

\`\`\`js
const a = 1;

const b = 2;
\`\`\`
text
---
#tag is no heading
***
<div>
raw

html</div>

    indented

    more

last *line`;

describe("a text that grows", () => {
  it("ends as if it had come at once, wherever it was cut", () => {
    const whole = drawn(GROWING).innerHTML;
    for (const step of [1, 2, 3, 7, 16, 50]) {
      const growing = new GrowingMarkdown();
      const place = document.createElement("div");
      for (let at = step; at < GROWING.length + step; at += step) {
        const text = GROWING.slice(0, at);
        const blocks = growing.blocks(text);
        render(renderBlocks(blocks, CONTEXT), place);
        expect(blocks.map((block) => block.raw.trim())).toEqual(new GrowingMarkdown().blocks(text, true).map((block) => block.raw.trim()));
      }
      render(renderBlocks(growing.blocks(GROWING, true), CONTEXT), place);
      expect(plain(place.innerHTML)).toBe(plain(whole));
    }
  });

  it("keeps the nodes of finished blocks while more arrives", () => {
    const growing = new GrowingMarkdown();
    const place = document.createElement("div");
    render(renderBlocks(growing.blocks("# One\n\nTwo\n\n- three\n\nfour"), CONTEXT), place);
    const before = [...place.querySelectorAll("h3, p, li")];
    render(renderBlocks(growing.blocks("# One\n\nTwo\n\n- three\n\nfour five\n\nsix"), CONTEXT), place);
    const after = [...place.querySelectorAll("h3, p, li")];
    expect(after.slice(0, 4)).toEqual(before);
    after.slice(0, 4).forEach((node, index) => expect(node).toBe(before[index]));
    expect(after[3]?.textContent).toBe("four five");
  });

  it("lexes only its end again: 20,000 characters in pieces of 16 take well under 5 ms each", () => {
    const text = "A paragraph of some words with `code`, a [link](https://example.org) and a citation [1].\n\n- one\n- two\n\n".repeat(190).slice(0, 20_000);
    const growing = new GrowingMarkdown();
    const times: number[] = [];
    for (let at = 16; at <= text.length; at += 16) {
      const start = performance.now();
      growing.blocks(text.slice(0, at));
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    expect(times[Math.floor(times.length / 2)]).toBeLessThan(2);
  });
});

/** Without Lit's own marker comments, which count renderings. */
function plain(markup: string): string {
  return markup.replace(/<!--[^]*?-->/g, "");
}
