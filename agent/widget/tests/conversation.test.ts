import { describe, expect, it } from "vitest";
import {
  type Conversation,
  EMPTY,
  advance,
  cards,
  dropped,
  evidence,
  leaving,
  left,
  running,
  turns,
  waitingCards,
} from "../src/conversation";
import type { ThreadEvent } from "../src/types";
import { RECORDED, card } from "./recorded";

function play(events: ThreadEvent[], from: Conversation = EMPTY, first = 1): Conversation {
  return events.reduce((state, event, index) => advance(state, event, String(first + index)), from);
}

const WHOLE = play(RECORDED);

describe("a conversation", () => {
  it("is the same wherever the connection was cut and whatever was sent again", () => {
    for (let cut = 0; cut <= RECORDED.length; cut++) {
      const before = play(RECORDED.slice(0, cut));
      // The server may begin earlier than asked: everything already seen is ignored.
      for (const again of [cut, Math.max(0, cut - 3), 0]) {
        expect(play(RECORDED.slice(again), before, again + 1)).toEqual(WHOLE);
      }
    }
  });

  it("ignores a number that goes backwards, and one that is no number", () => {
    const event = RECORDED[0] as ThreadEvent;
    expect(advance(WHOLE, event, "1")).toBe(WHOLE);
    expect(advance(WHOLE, event, "x")).toBe(WHOLE);
  });

  it("takes nothing without a number but what is no part of the log", () => {
    expect(advance(EMPTY, RECORDED[0] as ThreadEvent)).toBe(EMPTY);
    const caught = advance(EMPTY, { type: "CUSTOM", name: "countersign.caught_up", value: { seq: 0 } });
    expect(caught.caughtUp).toBe(true);
  });

  it("never changes what it was given", () => {
    const frozen = deepFreeze(structuredClone(EMPTY));
    expect(() => RECORDED.reduce((state, event, index) => deepFreeze(advance(state, event, String(index + 1))), frozen)).not.toThrow();
  });

  it("shows one card that follows its proposal, where it first came", () => {
    expect(cards(WHOLE).map((one) => one.state)).toEqual(["verified"]);
    expect(WHOLE.items.find((item) => item.kind === "card")?.run).toBe("RUN-1");
    expect(waitingCards(WHOLE)).toBe(0);
    expect(waitingCards(play(RECORDED.slice(0, 17)))).toBe(1);
  });

  it("takes the card from the interrupt where no snapshot came", () => {
    const without = RECORDED.slice(0, 18).filter((event) => !(event.type === "ACTIVITY_SNAPSHOT" && event.activityType === "proposal"));
    expect(cards(play(without)).map((one) => one.digest)).toEqual([card("awaiting").digest]);
  });

  it("says which checks could not be made, and finds evidence of earlier runs", () => {
    const work = WHOLE.items.find((item) => item.kind === "work");
    expect(work?.kind === "work" && work.checks.map((one) => [one.state, one.ms, one.args])).toEqual([
      ["made", 84, '{"service":"web"}'],
      ["failed", 9, ""],
    ]);
    expect([...evidence(WHOLE).keys()]).toEqual(["E1", "E2"]);
  });

  it("reads sources after the answer that cites them, though they come before it", () => {
    expect(turns(WHOLE)[0]?.items.map((item) => item.kind)).toEqual(["user", "work", "answer", "sources", "card"]);
  });

  it("ends what a stopped run left open", () => {
    const stopped = WHOLE.items.find((item) => item.id === "m4");
    expect(stopped?.kind === "answer" && stopped.done).toBe(true);
    expect(WHOLE.runs.map((run) => run.state)).toEqual(["interrupt", "success", "success", "cancelled", "error"]);
    expect(running(WHOLE)).toBe(false);
  });

  it("leaves events of a later version alone", () => {
    const later = { type: "SOMETHING_NEW", what: 1 } as unknown as ThreadEvent;
    expect(advance(WHOLE, later, "999")).toEqual({ ...WHOLE, seq: 999 });
  });
});

describe("the outbox", () => {
  const out = { runId: "RUN-9", messageId: "MSG-9", text: "hello" };
  const shows: ThreadEvent = {
    type: "RUN_STARTED",
    threadId: "TH-1",
    runId: "RUN-9",
    input: { messages: [{ id: "MSG-9", role: "user", content: "hello" }] },
  };

  it("holds a message until the log shows it", () => {
    const sent = left(leaving(EMPTY, out), "RUN-9");
    expect(sent.outbox[0]?.state).toBe("sent");
    const shown = advance(sent, shows, "1");
    expect(shown.outbox).toEqual([]);
    expect(shown.items.map((item) => item.kind)).toEqual(["user"]);
  });

  it("sends a failed message again as the same one, and not if it did arrive", () => {
    const failed = left(leaving(EMPTY, out), "RUN-9", "offline");
    expect(failed.outbox[0]).toMatchObject({ state: "failed", problem: "offline" });
    expect(leaving(failed, out).outbox).toHaveLength(1);
    const arrived = advance(failed, shows, "1");
    expect(leaving(arrived, out).outbox).toEqual([]);
    expect(dropped(failed, "RUN-9").outbox).toEqual([]);
  });
});

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const one of Object.values(Object.freeze(value))) deepFreeze(one);
  return value;
}
