import type { Card } from "../src/types";

/** A low-risk card that waits and that its reader may approve; `change` makes another of it. */
export function aCard(change: Partial<Card> = {}): Card {
  const now = Date.now();
  const at = (seconds: number): string => new Date(now + seconds * 1000).toISOString();
  return {
    digest: `sha256:${"a".repeat(64)}`,
    short: "aaaaaaaaaaaa",
    incident: "INC-0001",
    ticket: "7",
    subject: "The page does not open",
    state: "awaiting",
    headline: "Restart the service on web",
    action: "restart_service",
    action_title: "Restart the service",
    target: { name: "web", title: "Front", environment: "production", owner: "team", kind: "web", needed_by: [] },
    params: [],
    exact: '{\n  "action": "restart_service"\n}',
    risk: { level: "low", why: "It loses nothing.", reversible: true },
    precondition: "It is stopped.",
    effect: [{ name: "state", before: "stopped", after: "running" }],
    unchanged: [],
    diff: "",
    rehearsed_at: at(-5),
    undo: { possible: true, says: "stop it" },
    checks_afterwards: ["service_status web: state is running"],
    on_failure: "",
    why: { says: "It stopped.", standing: "confirmed", page: "RB-1", title: "A page", other_causes: [], missing: [], by: "runbooks" },
    evidence: [],
    requester: "ines.costa",
    author: "countersign",
    may_approve: ["dana.meyer"],
    needed: 1,
    created_at: at(-5),
    expires_at: at(600),
    now: at(0),
    decision: null,
    outcome: null,
    friction: { page_only: false, type_target: false, wait_ms: 0, see_all: false },
    editable: null,
    args: {},
    successor: null,
    hidden_characters: false,
    shown: "sha256:1",
    you: { may_approve: true, why_not: "", may_reject: true, may_edit: true, sign_in: false },
    ...change,
  };
}
