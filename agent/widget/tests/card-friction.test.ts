import { describe, expect, it } from "vitest";
import { type Obstacle, type Situation, mayTurnDown, obstacles } from "../src/card/friction";
import { aCard } from "./card-fixture";

const READY: Situation = {
  read: true,
  unfolded: true,
  sinceChange: 5000,
  secondsLeft: 600,
  typed: "",
  ownPage: false,
  busy: false,
  offline: false,
  signedIn: true,
};

const low = { page_only: false, type_target: false, wait_ms: 0, see_all: false };
const medium = { page_only: false, type_target: false, wait_ms: 600, see_all: true };
const high = { page_only: true, type_target: true, wait_ms: 600, see_all: true };

describe("what stands between a person and an approval", () => {
  const cases: [string, typeof low, Partial<Situation>, Obstacle[]][] = [
    ["low risk is one click", low, {}, []],
    ["low risk asks for no reading", low, { read: false }, []],
    ["what is folded must be opened, even at low risk", low, { unfolded: false }, ["unfold"]],
    ["medium risk wants all of it on the screen", medium, { read: false }, ["read"]],
    ["medium risk waits after a change", medium, { sinceChange: 599 }, ["wait"]],
    ["medium risk works 600 ms after the change", medium, { sinceChange: 600 }, []],
    ["medium risk says reading before waiting", medium, { read: false, sinceChange: 0 }, ["read", "wait"]],
    ["high risk is not decided inside another view", high, { typed: "web" }, ["page_only"]],
    ["high risk wants the target typed", high, { ownPage: true }, ["type_target"]],
    ["a name that is not the target's does not count", high, { ownPage: true, typed: "web-2" }, ["type_target"]],
    ["the name in another case does not count", high, { ownPage: true, typed: "WEB" }, ["type_target"]],
    ["the target's name with a space around it counts", high, { ownPage: true, typed: " web " }, []],
    ["one request at a time", low, { busy: true }, ["busy"]],
    ["nothing is sent without a connection", low, { offline: true }, ["offline"]],
    ["nothing is approved when the time is over", low, { secondsLeft: 0 }, ["expired"]],
  ];
  it.each(cases)("%s", (_, friction, change, expected) => {
    const card = aCard({ friction, target: { ...aCard().target, name: "web" } });
    expect(obstacles(card, { ...READY, ...change })).toEqual(expected);
  });

  it("does not work before the server has said what this person may do", () => {
    const { you: _, ...card } = aCard();
    expect(obstacles(card, READY)).toEqual(["loading"]);
  });

  it("sends whoever is not signed in to sign in, and nobody else", () => {
    const card = aCard({ you: { may_approve: false, why_not: "viewer", may_reject: false, may_edit: false, sign_in: true } });
    expect(obstacles(card, { ...READY, signedIn: false })).toEqual(["sign_in"]);
    expect(obstacles(card, READY)).toEqual(["not_allowed"]);
  });

  it.each(["approved", "rejected", "expired", "superseded", "executing", "verified"] as const)("offers nothing on a card that is %s", (state) => {
    expect(obstacles(aCard({ state }), READY)).toEqual(["not_awaiting"]);
    expect(mayTurnDown(aCard({ state }), READY)).toBe(false);
  });

  it("lets a card be rejected without any reading", () => {
    expect(mayTurnDown(aCard({ friction: high }), { ...READY, secondsLeft: 1 })).toBe(true);
  });
});
