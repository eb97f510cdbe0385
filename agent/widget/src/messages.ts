/**
 * What the host page and our frame say to each other with `postMessage`. Either side checks the other's origin and window.
 *
 * Nothing here decides anything: a host can give a token for asking, open and close the frame, and say what it is about.
 */
export type ToFrame =
  | { type: "countersign.token"; token: string | null }
  | { type: "countersign.opened" }
  | { type: "countersign.about"; ticket: string };

export type ToHost =
  | { type: "countersign.ready" }
  | { type: "countersign.ask-token" }
  | { type: "countersign.close" }
  | { type: "countersign.waiting"; n: number }
  | { type: "countersign.thread"; id: string };
