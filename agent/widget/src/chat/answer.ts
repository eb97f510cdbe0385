/** One text of the assistant: Markdown that may still grow, with buttons where it cites. */
import { LitElement, type TemplateResult, html } from "lit";
import { property } from "lit/decorators.js";
import { announce } from "../card/announce";
import type { Check } from "../conversation";
import { whenReady } from "../lexer";
import { GrowingMarkdown, type MarkdownContext, renderBlocks } from "../markdown";
import { base } from "../theme";
import type { Locale, Source } from "../types";
import { prose } from "./styles";
import { type ChatWords, words } from "./words";

/** How a reader came to a citation: a pointer over it, focus on it, a click, or leaving it. */
export interface CiteDetail {
  label: string;
  anchor: HTMLElement;
  how: "over" | "focus" | "click" | "leave";
  sources: Source[];
}

export class Answer extends LitElement {
  static override styles = [...base, prose];

  @property() text = "";
  @property({ type: Boolean }) done = false;
  @property({ attribute: false }) sources: Source[] = [];
  @property({ attribute: false }) evidence: ReadonlyMap<string, Check> = new Map();
  @property() locale: Locale = "en";

  private readonly growing = new GrowingMarkdown();
  private ended = false;

  override connectedCallback(): void {
    super.connectedCallback();
    whenReady(() => this.requestUpdate());
  }

  protected override render(): TemplateResult {
    const say = words(this.locale);
    const whole = this.done && !this.ended;
    this.ended = this.done;
    const blocks = this.growing.blocks(this.text, whole);
    const stamp = [this.locale, ...this.sources.map((source) => `${source.n} ${source.title}`), ...this.evidence.keys()].join("\n");
    return html`<div class="root prose">${renderBlocks(blocks, this.context(say), stamp)}</div>`;
  }

  private context(say: ChatWords): MarkdownContext {
    return {
      words: { copy: say("copy"), image: say("image"), table: say("table"), code: say("code") },
      copy: (text) => void copyText(text, say("copied")),
      cite: (label) => this.cite(label, say),
    };
  }

  private cite(label: string, say: ChatWords): TemplateResult | null {
    const isEvidence = label.startsWith("E");
    const source = isEvidence ? undefined : this.sources.find((one) => String(one.n) === label);
    if (isEvidence ? !this.evidence.has(label) : !source) return null;
    const name = isEvidence ? say("evidence", { id: label }) : say("source", { n: label, title: source?.title ?? "" });
    const tell = (how: CiteDetail["how"]) => (event: Event) => {
      if (how === "over" && (event as PointerEvent).pointerType === "touch") return;
      const anchor = event.currentTarget as HTMLElement;
      if (how === "focus" && !anchor.matches(":focus-visible")) return;
      const detail: CiteDetail = { label, anchor, how, sources: this.sources };
      this.dispatchEvent(new CustomEvent("countersign-cite", { detail, bubbles: true, composed: true }));
    };
    return html`<button
      type="button"
      class="cite"
      aria-label=${name}
      aria-haspopup="dialog"
      @pointerenter=${tell("over")}
      @pointerleave=${tell("leave")}
      @focus=${tell("focus")}
      @blur=${tell("leave")}
      @click=${tell("click")}
    ><span aria-hidden="true">${label}</span></button>`;
  }
}

/** To the clipboard; whether it went there. */
export async function copyText(text: string, said: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return false; // not allowed here; the text can be selected
  }
  announce(said);
  return true;
}

customElements.define("countersign-answer", Answer);
