/** The console's words in the reader's language. */
import { type Text, room } from "../text";
import { de } from "../text/de/console";
import { en } from "../text/en/console";

export const words = room(en, de);

export type ConsoleKey = keyof typeof en;
export type ConsoleWords = Text<typeof en>;
