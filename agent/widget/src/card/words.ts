/** The card's words in the reader's language. */
import { type Text, room } from "../text";
import { de } from "../text/de/card";
import { en } from "../text/en/card";

export const words = room(en, de);

export type CardKey = keyof typeof en;
export type CardWords = Text<typeof en>;

/** Where the server's own words say more than ours: about a value, a person, a target. */
const SPECIFIC = new Set(["bad_args", "not_entitled", "four_eyes", "not_permitted", "wrong_target"]);

/** The sentence for a refusal of the server; one that is not known here gets a plain one and the server's words. */
export function refusal(code: string, detail: string, say: CardWords): string {
  const key = `error.${code}`;
  const known = key in en;
  const sentence = say(known ? (key as CardKey) : "error.other");
  return detail !== "" && (!known || SPECIFIC.has(code)) ? `${sentence} (${detail})` : sentence;
}

/** What was decided, by whom and when, from a state's name. */
export function decidedKey(state: string): CardKey {
  switch (state) {
    case "rejected":
      return "by.rejected";
    case "withdrawn":
      return "by.withdrawn";
    case "superseded":
      return "by.superseded";
    default:
      return "by.approved";
  }
}
