import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../src/api";
import type { Card, DecisionRequest } from "../src/types";
import { aCard } from "./card-fixture";

type Saw = (entries: { target: Element; isIntersecting: boolean }[]) => void;

/** A screen that shows what a test says it shows. */
class Screen {
  static all: Screen[] = [];
  seen = new Set<Element>();
  constructor(private readonly saw: Saw) {
    Screen.all.push(this);
  }
  observe(target: Element): void {
    this.seen.add(target);
  }
  unobserve(target: Element): void {
    this.seen.delete(target);
  }
  disconnect(): void {
    this.seen.clear();
  }
  static show(end: string): void {
    for (const one of Screen.all)
      for (const target of one.seen)
        if (target instanceof HTMLElement && target.dataset["end"] === end) one.saw([{ target, isIntersecting: true }]);
  }
}

vi.stubGlobal("IntersectionObserver", Screen);
const { CardDecide } = await import("../src/card/card");

interface Sent {
  digest: string;
  request: DecisionRequest;
}

let sent: Sent[] = [];
let answer: () => Promise<unknown> = () => Promise.resolve({});
let fresh: Card = aCard();
const api = {
  endpoint: "",
  proposal: () => Promise.resolve(fresh),
  decide: (digest: string, request: DecisionRequest) => {
    sent.push({ digest, request });
    return answer();
  },
};

async function shown(card: Card, page = true): Promise<InstanceType<typeof CardDecide>> {
  const element = new CardDecide();
  Object.assign(element, { mode: "decide", page, card, api, signedIn: true });
  document.body.append(element);
  await element.updateComplete;
  return element;
}

const inside = (element: HTMLElement, selector: string): HTMLElement =>
  element.shadowRoot?.querySelector<HTMLElement>(selector) ?? expect.fail(`no ${selector}`);
const approve = (element: HTMLElement): HTMLElement => inside(element, ".approve");
const works = (element: HTMLElement): boolean => approve(element).getAttribute("aria-disabled") === "false";
const settled = async (element: { updateComplete: Promise<unknown> }): Promise<void> => {
  await vi.advanceTimersByTimeAsync(50);
  await element.updateComplete;
};

describe("the deciding card", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
    sent = [];
    Screen.all = [];
    fresh = aCard({ state: "approved" });
    answer = () => Promise.resolve({ state: "approved" });
  });
  afterEach(() => {
    document.body.replaceChildren();
    vi.useRealTimers();
  });

  it("sends one approval for a double click, with what was shown", async () => {
    const card = aCard();
    const element = await shown(card);
    approve(element).click();
    approve(element).click();
    await settled(element);
    expect(sent).toEqual([{ digest: card.digest, request: { decision: "approve", shown: card.shown, seconds_on_screen: 0 } }]);
    expect(element.card?.state).toBe("approved");
  });

  it("approves a medium risk only after both ends were on the screen and the card stood still", async () => {
    const element = await shown(aCard({ friction: { page_only: false, type_target: false, wait_ms: 600, see_all: true } }));
    expect(works(element)).toBe(false);
    approve(element).click();
    Screen.show("runs");
    await element.updateComplete;
    expect(works(element)).toBe(false);
    Screen.show("changes");
    await element.updateComplete;
    expect(works(element)).toBe(false);
    await vi.advanceTimersByTimeAsync(800);
    await element.updateComplete;
    expect(works(element)).toBe(true);
    expect(sent).toEqual([]);
  });

  it("takes the keyboard's focus on an end for having seen it", async () => {
    const element = await shown(aCard({ friction: { page_only: false, type_target: false, wait_ms: 0, see_all: true } }));
    for (const end of ["runs", "changes"]) inside(element, `#end-${end}`).dispatchEvent(new Event("focus"));
    await element.updateComplete;
    expect(works(element)).toBe(true);
  });

  it("wants what is folded opened before an approval, at low risk as well", async () => {
    const element = await shown(aCard({ exact: "line\n".repeat(60) }), false);
    expect(works(element)).toBe(false);
    inside(element, ".unfold").click();
    await element.updateComplete;
    expect(works(element)).toBe(true);
  });

  it("says in words why somebody may not approve", async () => {
    const why = "ines.costa reported this ticket; someone else has to approve the fix";
    const element = await shown(aCard({ you: { may_approve: false, why_not: why, may_reject: true, may_edit: false, sign_in: false } }));
    expect(works(element)).toBe(false);
    expect(approve(element).getAttribute("aria-describedby")).toBe("obstacle");
    expect(inside(element, "#obstacle").textContent).toContain(why);
  });

  it("gives no focus to the approval by itself", async () => {
    const element = await shown(aCard());
    expect(element.shadowRoot?.activeElement ?? null).toBeNull();
    await element.focusHeading();
    expect(element.shadowRoot?.activeElement?.id).toBe("heading");
  });

  it("shows a refusal in its sentence and the card as it stands now", async () => {
    answer = () => Promise.reject(new Problem(409, "already_decided", "Conflict", ""));
    const element = await shown(aCard());
    approve(element).click();
    await settled(element);
    expect(inside(element, "[role=alert]").textContent).toContain("Somebody has decided this already.");
    expect(element.card?.state).toBe("approved");
  });

  it("rejects with a reason and not without", async () => {
    const element = await shown(aCard());
    inside(element, "#open-reject").click();
    await element.updateComplete;
    const send = (): void => void inside(element, ".form").dispatchEvent(new Event("submit", { cancelable: true }));
    send();
    await element.updateComplete;
    expect(sent).toEqual([]);
    inside(element, ".presets button").click();
    await element.updateComplete;
    send();
    await settled(element);
    expect(sent[0]?.request).toMatchObject({ decision: "reject", reason: "Not the cause" });
  });

  it("announces a decision made elsewhere once, and keeps the focus where it was", async () => {
    const element = await shown(aCard());
    inside(element, "#open-reject").focus();
    const decided = aCard({ state: "approved", decision: { by: "sam.okafor", at: "2026-01-01T00:00:00Z", reason: "", state: "approved" } });
    element.card = decided;
    await settled(element);
    element.card = { ...decided };
    await vi.advanceTimersByTimeAsync(400);
    expect(document.querySelector("#countersign-announcer")?.textContent?.match(/sam\.okafor/g)).toHaveLength(1);
  });

  it("never decides where it only shows", async () => {
    const element = new CardDecide();
    Object.assign(element, { card: aCard(), api });
    document.body.append(element);
    await element.updateComplete;
    expect(element.shadowRoot?.querySelector(".approve")).toBeNull();
    expect(inside(element, ".actions a").getAttribute("href")).toBe(`/approvals/${encodeURIComponent(aCard().digest)}`);
  });

  it("looks expired by the server's clock before the server says so", async () => {
    const element = await shown(aCard({ expires_at: new Date(Date.now() + 2000).toISOString() }));
    await vi.advanceTimersByTimeAsync(3200);
    await element.updateComplete;
    expect(element.shadowRoot?.querySelector(".approve")).toBeNull();
    expect(inside(element, ".state").textContent).toContain("Expired");
  });

  it("is not taken back to an older state by an answer that was under way when an event moved it on", async () => {
    const { you: _, ...open } = aCard();
    let arrive: (card: Card) => void = () => undefined;
    const late = new Promise<Card>((resolve) => {
      arrive = resolve;
    });
    const element = new CardDecide();
    Object.assign(element, { mode: "decide", page: true, card: open, api: { ...api, proposal: () => late }, signedIn: true });
    document.body.append(element);
    await element.updateComplete;
    element.card = { ...open, state: "rejected" } as Card;
    await element.updateComplete;
    arrive(aCard());
    await late;
    await element.updateComplete;
    expect(element.card.state).toBe("rejected");
  });
});
