import { describe, expect, it } from "vitest";
import { digestOf } from "../src/console/approval";
import { hash, route } from "../src/console/route";
import { moments } from "../src/console/timeline";
import type { Observation, Story, TimelineEntry } from "../src/types";
import { aCard } from "./card-fixture";

describe("the address", () => {
  it.each([
    ["", { room: "incidents", state: "", service: "", q: "" }],
    ["#/incidents?state=verified&q=a%26b", { room: "incidents", state: "verified", service: "", q: "a&b" }],
    ["#/incidents/INC-0003", { room: "incident", id: "INC-0003" }],
    ["#/waiting", { room: "waiting" }],
    ["#/knowledge?q=vpn+now", { room: "knowledge", q: "vpn now" }],
    ["#/lab", { room: "lab" }],
    ["#/nowhere/%E0%A4%A", { room: "incidents", state: "", service: "", q: "" }],
  ])("%s is a room", (address, expected) => {
    expect(route(address)).toEqual(expected);
  });

  it("is written as it is read", () => {
    for (const address of ["#/incidents", "#/incidents?state=verified&q=a%26b", "#/incidents/INC-0003", "#/waiting", "#/knowledge?q=vpn+now", "#/lab"])
      expect(hash(route(address))).toBe(address);
  });

  it("names a card by its digest or the beginning of it", () => {
    expect(digestOf("/approvals/sha256%3Aab12")).toBe("sha256:ab12");
    expect(digestOf("/approvals/ab12cd34ef56")).toBe("ab12cd34ef56");
    expect(digestOf("/approvals/")).toBe("");
    expect(digestOf("/approvals/%E0%A4%A")).toBe("");
  });
});

describe("an incident's story", () => {
  const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
  const entry = (seq: number, event: string, data: Record<string, unknown> = {}, actor = "countersign"): TimelineEntry => ({ seq, at: at(seq), actor, event, data });
  const seen = (id: string, second: number, made = true): Observation => ({ id, tool: "t", args: {}, at: at(second), took_ms: 1, server: "diagnostics", made, says: "", result: made ? {} : null, error: made ? null : "no" });
  const card = aCard();
  const story = (timeline: TimelineEntry[], change: Partial<Story> = {}): Story => ({
    incident: { id: "INC-1", ticket: "7", subject: "s", requester: "r", service: "web", state: "verified", opened_at: at(1), updated_at: at(9), open_card: null },
    body: "It is broken.",
    service: null,
    sources: [{ n: 1, page: "RB-1", title: "t", score: 0.8, relevant: true, executable: true, digest: "d", passages: [] }],
    similar: [],
    observations: [seen("E1", 3), seen("E2", 2, false)],
    diagnosis: { outcome: "fix", says: "It stopped.", causes: [], ruled_out: 0, reasoner: "runbooks", missing: [] },
    missing: [],
    proposals: [card],
    notes: [],
    timeline,
    threads: [],
    ...change,
  });
  const whole = [
    entry(1, "incident_opened", { ticket: "7" }),
    entry(2, "incident_investigating"),
    entry(4, "diagnosed"),
    entry(5, "proposed", { digest: card.digest }),
    entry(6, "incident_awaiting_approval"),
    entry(7, "note_due", { key: "k" }),
    entry(8, "note_written", { key: "k" }),
    entry(9, "approved", { digest: card.digest, reason: "agreed" }, "person:sam.okafor"),
    entry(10, "executing", { digest: card.digest }),
    entry(11, "executed", { digest: card.digest }),
    entry(12, "verified", { digest: card.digest }),
    entry(13, "incident_verified"),
    entry(14, "accounted"),
  ];

  it("is told in the order it happened, each thing once", () => {
    expect(moments(story(whole)).map((one) => one.title)).toEqual([
      "line.reported",
      "line.read",
      "line.looked",
      "line.diagnosed",
      "line.proposed",
      "line.note",
      "line.approved",
      "line.executing",
      "line.executed",
      "line.verified",
    ]);
  });

  it("names who decided and why, and which card", () => {
    const decided = moments(story(whole)).find((one) => one.title === "line.approved");
    expect(decided).toMatchObject({ who: "sam.okafor", reason: "agreed", digest: card.digest });
    expect(moments(story(whole)).find((one) => one.title === "line.proposed")?.says).toBe(card.headline);
  });

  it("does not depend on the order in which entries come", () => {
    expect(moments(story([...whole].reverse()))).toEqual(moments(story(whole)));
  });

  it("has keys that stay when more is told", () => {
    const before = moments(story(whole.slice(0, 6))).map((one) => one.key);
    const after = moments(story(whole)).map((one) => one.key);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(new Set(after).size).toBe(after.length);
  });

  it("says whether a note has reached the ticket", () => {
    const note = (timeline: TimelineEntry[]) => moments(story(timeline)).find((one) => one.title === "line.note")?.written;
    expect(note(whole)).toBe(true);
    expect(note(whole.filter((one) => one.event !== "note_written"))).toBe(false);
  });

  it("tells an end without a proposal, and what it does not know", () => {
    const told = moments(story([entry(1, "incident_opened"), entry(2, "feedback_given"), entry(3, "incident_by_hand")], { observations: [], proposals: [] }));
    expect(told.map((one) => [one.title, one.state, one.says])).toEqual([
      ["line.reported", "", ""],
      ["line.other", "", "feedback given"],
      ["line.read", "", ""],
      ["line.diagnosed", "", ""],
      ["line.ended", "by_hand", ""],
    ]);
  });
});
