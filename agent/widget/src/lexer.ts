/** marked's lexer, with what would let one part of a text change another taken out. */
import { Lexer, type Token, Tokenizer } from "marked";

/** Definitions elsewhere in a text may not turn `[1]` into a link, nor change blocks that are already on screen. */
class PlainTokenizer extends Tokenizer {
  override def(): undefined {
    return undefined;
  }
  override reflink(): undefined {
    return undefined;
  }
}

/** The tokens of a text. Throws where a text is nested too deeply for it. */
export function lex(text: string): Token[] {
  return new Lexer({ gfm: true, tokenizer: new PlainTokenizer() }).lex(text);
}

/** Whether `lex` gives its final answer already; here always. */
export const ready = (): boolean => true;

/** Calls back when `lex` is ready. */
export function whenReady(_call: () => void): void {
  /* It is. */
}
