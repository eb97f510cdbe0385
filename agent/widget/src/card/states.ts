/** The states of a proposal as they are shown: an icon and a tone beside the words, so that colour never stands alone. */
import type { IncidentState, ProposalState } from "../types";

export const PROPOSAL_STATES: readonly ProposalState[] = [
  "awaiting",
  "approved",
  "rejected",
  "expired",
  "superseded",
  "withdrawn",
  "executing",
  "stale",
  "failed",
  "unknown",
  "executed",
  "verified",
  "not_verified",
  "inconclusive",
];

export const INCIDENT_STATES: readonly IncidentState[] = [
  "open",
  "investigating",
  "awaiting_approval",
  "executing",
  "fix",
  "by_hand",
  "healthy",
  "contradiction",
  "undecided",
  "page",
  "no_page",
  "no_service",
  "nothing_to_read",
  "approved",
  "rejected",
  "expired",
  "superseded",
  "withdrawn",
  "stale",
  "failed",
  "unknown",
  "executed",
  "verified",
  "not_verified",
  "inconclusive",
];

export type Tone = "wait" | "run" | "good" | "bad" | "warn" | "quiet";

/** The tone of a proposal's or an incident's state; what is not known looks like a warning, never like success. */
export function tone(state: string): Tone {
  switch (state) {
    case "awaiting":
    case "awaiting_approval":
      return "wait";
    case "approved":
    case "executing":
    case "executed":
    case "open":
    case "investigating":
      return "run";
    case "verified":
    case "healthy":
      return "good";
    case "failed":
    case "not_verified":
      return "bad";
    case "rejected":
    case "expired":
    case "superseded":
    case "withdrawn":
    case "page":
    case "fix":
      return "quiet";
    default:
      return "warn";
  }
}

/** States from which the proposal still moves without anybody asking anew. */
export function moves(state: string): boolean {
  return state === "awaiting" || state === "approved" || state === "executing" || state === "executed";
}

/** Whether the incident still goes on. */
export function goesOn(state: string): boolean {
  return ["open", "investigating", "awaiting_approval", "approved", "executing", "executed"].includes(state);
}
