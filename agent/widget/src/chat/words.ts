/** The chat's words in the reader's language. */
import { type Text, room } from "../text";
import { de } from "../text/de/chat";
import { en } from "../text/en/chat";

export const words = room(en, de);

export type ChatKey = keyof typeof en;
export type ChatWords = Text<typeof en>;

/** What a step is called; one of a later version keeps its own name. */
export function stepName(name: string, say: ChatWords): string {
  const key = `step.${name}`;
  return key in en ? say(key as ChatKey) : name;
}
