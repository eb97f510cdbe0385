/**
 * One polite voice for a page, in its light DOM: some screen readers miss live regions inside a shadow tree.
 *
 * Texts that come close together are joined, so that none is swallowed by the next.
 */

const ID = "countersign-announcer";
const GATHER_MS = 150;
const CLEAR_MS = 10_000;

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

/** Say `text` to whoever listens with a screen reader, once. */
export function announce(text: string): void {
  if (text === "" || waiting.includes(text)) return;
  const region = voice();
  waiting.push(text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    region.textContent = waiting.join(" ");
    waiting = [];
    timer = setTimeout(() => {
      region.textContent = "";
    }, CLEAR_MS);
  }, GATHER_MS);
}

/** Make the region ready; a region that is there before it is filled is heard more reliably. */
export function voice(): HTMLElement {
  const there = document.getElementById(ID);
  if (there) return there;
  const region = document.createElement("div");
  region.id = ID;
  region.setAttribute("role", "status");
  region.setAttribute("aria-live", "polite");
  const hide = {
    position: "absolute",
    width: "1px",
    height: "1px",
    margin: "-1px",
    overflow: "hidden",
    "clip-path": "inset(50%)",
    "white-space": "nowrap",
  };
  for (const [name, value] of Object.entries(hide)) region.style.setProperty(name, value, "important");
  document.body.append(region);
  return region;
}
