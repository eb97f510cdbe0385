/**
 * Makes characters visible that a reader cannot see or that reorder what is read: control, bidirectional, zero-width,
 * tag and private-use characters (Unicode categories Cc, Cf, Cs, Co, Zl, Zp) and unusual spaces. Line feeds stay.
 */

export interface Shown {
  readonly kind: "text" | "mark";
  readonly text: string;
  /** For a mark: what the character is, in plain English; code points are never translated. */
  readonly name?: string;
}

const NAMES: Readonly<Record<number, string>> = {
  0x00: "null",
  0x08: "backspace",
  0x09: "tab",
  0x0d: "carriage return",
  0x1b: "escape",
  0x7f: "delete",
  0xa0: "no-break space",
  0xad: "soft hyphen",
  0x61c: "Arabic letter mark",
  0x180e: "Mongolian vowel separator",
  0x200b: "zero-width space",
  0x200c: "zero-width non-joiner",
  0x200d: "zero-width joiner",
  0x200e: "left-to-right mark",
  0x200f: "right-to-left mark",
  0x2028: "line separator",
  0x2029: "paragraph separator",
  0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding",
  0x202c: "pop directional formatting",
  0x202d: "left-to-right override",
  0x202e: "right-to-left override",
  0x2060: "word joiner",
  0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate",
  0x2068: "first strong isolate",
  0x2069: "pop directional isolate",
  0x115f: "Hangul filler",
  0x1160: "Hangul filler",
  0x2800: "blank Braille pattern",
  0x3164: "Hangul filler",
  0xfeff: "zero-width no-break space",
  0xffa0: "Hangul filler",
};

// Spaces other than U+0020, variation selectors and the fillers look like nothing and are no Cc/Cf character.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u00a0\u034f\u115f\u1160\u1680\u17b4\u17b5\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]/gu;

/** So many spaces in a row push what follows out of sight. */
const LINE_MARKS = /\n| {9,}/g;

/** Split `text` into what can be read as it stands and marks for what cannot be seen. */
export function visible(text: string): Shown[] {
  const parts: Shown[] = [];
  const plain = (piece: string): void => {
    if (piece !== "") parts.push({ kind: "text", text: piece });
  };
  let from = 0;
  for (const hit of text.matchAll(HIDDEN)) {
    if (hit[0] === "\n") continue;
    plain(text.slice(from, hit.index));
    parts.push(mark(hit[0]));
    from = hit.index + hit[0].length;
  }
  plain(text.slice(from));
  return parts;
}

/** As `visible`, for a value on one line: line feeds and long padding are marked as well. */
export function visibleLine(text: string): Shown[] {
  return visible(text).flatMap((part) => (part.kind === "mark" ? [part] : lineMarks(part.text)));
}

function lineMarks(text: string): Shown[] {
  const parts: Shown[] = [];
  let from = 0;
  for (const hit of text.matchAll(LINE_MARKS)) {
    if (hit.index > from) parts.push({ kind: "text", text: text.slice(from, hit.index) });
    parts.push(
      hit[0] === "\n"
        ? { kind: "mark", text: "U+000A", name: "line feed" }
        : { kind: "mark", text: `${hit[0].length} × U+0020`, name: `${hit[0].length} spaces` },
    );
    from = hit.index + hit[0].length;
  }
  if (from < text.length) parts.push({ kind: "text", text: text.slice(from) });
  return parts;
}

/** Whether `text` holds anything that a reader could not see. */
export function hides(text: string): boolean {
  return visible(text).some((part) => part.kind === "mark");
}

function mark(character: string): Shown {
  const code = character.codePointAt(0) ?? 0;
  return {
    kind: "mark",
    text: `U+${code.toString(16).toUpperCase().padStart(4, "0")}`,
    name: NAMES[code] ?? (code < 0x20 ? "control character" : "invisible character"),
  };
}
