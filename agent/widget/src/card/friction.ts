/**
 * What stands between a person and the Approve button: one pure table, so that it can be read and tested as one.
 *
 * The server decides who may do what and refuses what it must; this only keeps a hand from being quicker than the eye.
 */

import type { Card } from "../types";

/** What the browser knows besides the card. */
export interface Situation {
  /** Everything to be read was on the screen, or was confirmed as read by keyboard. */
  readonly read: boolean;
  /** Everything folded was opened once. */
  readonly unfolded: boolean;
  /** Milliseconds since the card last changed. */
  readonly sinceChange: number;
  /** Seconds left by the server's clock. */
  readonly secondsLeft: number;
  /** What was typed as the name of the target. */
  readonly typed: string;
  /** True on /approvals/…, a page of its own. */
  readonly ownPage: boolean;
  /** True while a request of this card is under way. */
  readonly busy: boolean;
  readonly offline: boolean;
  /** Signed in already: whoever still may not is told why, not sent to sign in. */
  readonly signedIn: boolean;
}

export type Obstacle =
  | "not_awaiting"
  | "expired"
  | "offline"
  | "loading"
  | "sign_in"
  | "not_allowed"
  | "page_only"
  | "unfold"
  | "read"
  | "type_target"
  | "wait"
  | "busy";

type Part = Pick<Card, "state" | "friction" | "target"> & Partial<Pick<Card, "you">>;

/** Return every obstacle to an approval, the most telling one first; none means that the button works. */
export function obstacles(card: Part, now: Situation): Obstacle[] {
  const { friction, you } = card;
  const found: Obstacle[] = [];
  if (card.state !== "awaiting") return ["not_awaiting"];
  if (now.secondsLeft <= 0) return ["expired"];
  if (!you) return ["loading"];
  if (you.sign_in && !now.signedIn) return ["sign_in"];
  if (!you.may_approve) return ["not_allowed"];
  if (friction.page_only && !now.ownPage) return ["page_only"];
  if (now.offline) found.push("offline");
  if (!now.unfolded) found.push("unfold");
  if (friction.see_all && !now.read) found.push("read");
  if (friction.type_target && now.typed.trim() !== card.target.name) found.push("type_target");
  if (now.sinceChange < friction.wait_ms) found.push("wait");
  if (now.busy) found.push("busy");
  return found;
}

/** Whether a reject or an edit can be sent; both are as easy as an approval, and never harder. */
export function mayTurnDown(card: Part, now: Pick<Situation, "secondsLeft" | "busy" | "offline">): boolean {
  return card.state === "awaiting" && now.secondsLeft > 0 && !now.busy && !now.offline && card.you?.may_reject === true;
}
