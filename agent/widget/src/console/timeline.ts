/** An incident's story in the order it happened: journal entries and what was seen between them, told once each. */
import type { IconName } from "../card/icons";
import { INCIDENT_STATES, PROPOSAL_STATES, goesOn } from "../card/states";
import type { IncidentState, Story, TimelineEntry } from "../types";
import type { ConsoleKey } from "./words";

export interface Moment {
  readonly key: string;
  readonly at: string;
  readonly title: ConsoleKey;
  readonly icon: IconName;
  readonly tone: "" | "good" | "bad" | "warn" | "accent";
  /** Who did it, as a person's name; empty for the assistant itself. */
  readonly who: string;
  /** Words that were written by somebody or made by the server. */
  readonly says: string;
  /** What the view adds from the story. */
  readonly shows: "" | "body" | "looked" | "read" | "diagnosis" | "checks" | "note";
  readonly digest: string;
  /** The state it ended with, where that is the point. */
  readonly state: IncidentState | "";
  readonly reason: string;
  readonly written: boolean;
}

type Shape = Pick<Moment, "title" | "icon" | "tone"> & Partial<Pick<Moment, "shows">>;

const SHAPES: Readonly<Record<string, Shape>> = {
  incident_opened: { title: "line.reported", icon: "chat", tone: "", shows: "body" },
  diagnosed: { title: "line.diagnosed", icon: "spark", tone: "accent", shows: "diagnosis" },
  proposed: { title: "line.proposed", icon: "file", tone: "accent" },
  approved: { title: "line.approved", icon: "check", tone: "good" },
  rejected: { title: "line.rejected", icon: "close", tone: "" },
  superseded: { title: "line.edited", icon: "note", tone: "" },
  expired: { title: "line.expired", icon: "wait", tone: "" },
  withdrawn: { title: "line.withdrawn", icon: "undo", tone: "" },
  executing: { title: "line.executing", icon: "run", tone: "accent" },
  executed: { title: "line.executed", icon: "run", tone: "accent" },
  failed: { title: "line.failed", icon: "bad", tone: "bad" },
  stale: { title: "line.stale", icon: "warn", tone: "warn" },
  unknown: { title: "line.unknown", icon: "warn", tone: "warn" },
  verified: { title: "line.verified", icon: "good", tone: "good", shows: "checks" },
  not_verified: { title: "line.not_verified", icon: "bad", tone: "bad", shows: "checks" },
  inconclusive: { title: "line.inconclusive", icon: "warn", tone: "warn", shows: "checks" },
  note_due: { title: "line.note", icon: "note", tone: "", shows: "note" },
};

const ENDED: Shape = { title: "line.ended", icon: "quiet", tone: "" };

/** Entries that only repeat what another one says. */
const SILENT = new Set(["accounted", "note_written"]);

/** Build the story's moments, oldest first. */
export function moments(story: Story): Moment[] {
  const entries = [...story.timeline].sort((one, other) => one.seq - other.seq);
  const written = new Set(entries.filter((one) => one.event === "note_written").map((one) => text(one.data["key"])));
  const proposals = new Map(story.proposals.map((card) => [card.digest, card]));
  const told = entries
    .filter((one) => !SILENT.has(one.event) && !isMove(one))
    .map((one): Moment => {
      const ends = ending(one);
      const shape = ends !== "" ? ENDED : SHAPES[one.event] ?? { title: "line.other" as const, icon: "quiet" as const, tone: "" as const };
      const digest = text(one.data["digest"]);
      return {
        key: String(one.seq),
        at: one.at,
        ...shape,
        shows: shape.shows ?? "",
        who: person(one.actor),
        says: one.event === "proposed" ? (proposals.get(digest)?.headline ?? "") : words(one),
        state: ends,
        digest,
        reason: text(one.data["reason"]),
        written: written.has(text(one.data["key"])),
      };
    });
  return withWork(told, story, entries);
}

/** Put in what was looked at and read: the journal keeps only its fingerprint, the story has it whole. */
function withWork(told: Moment[], story: Story, entries: readonly TimelineEntry[]): Moment[] {
  const work: Moment[] = [];
  const plain = { who: "", says: "", digest: "", state: "" as const, reason: "", written: false, tone: "" as const };
  const opened = entries.find((one) => one.event === "incident_opened")?.at ?? story.incident.opened_at;
  const looked = story.observations.map((one) => one.at).sort();
  if (story.sources.some((one) => one.relevant))
    work.push({ ...plain, key: "read", at: opened, title: "line.read", icon: "book", shows: "read" });
  if (looked.length > 0)
    work.push({ ...plain, key: "looked", at: looked.at(-1) ?? opened, title: "line.looked", icon: "pulse", shows: "looked" });
  if (story.diagnosis && !told.some((one) => one.shows === "diagnosis")) {
    const at = looked.at(-1) ?? opened;
    work.push({ ...plain, key: "diagnosed", at, title: "line.diagnosed", icon: "spark", tone: "accent", shows: "diagnosis" });
  }
  const first = told.findIndex((one) => one.shows === "body");
  const before = told.findIndex((one, at) => at > first && ["line.diagnosed", "line.proposed", "line.note", "line.ended"].includes(one.title));
  const at = before < 0 ? first + 1 : before;
  return [...told.slice(0, at), ...work, ...told.slice(at)];
}

/** The state an `incident_…` entry ends the incident with; empty when a proposal's own entry says the same. */
function ending(entry: TimelineEntry): IncidentState | "" {
  const state = INCIDENT_STATES.find((one) => `incident_${one}` === entry.event);
  return state && !goesOn(state) && !PROPOSAL_STATES.some((one) => one === state) ? state : "";
}

/** Entries that move the incident and repeat what its proposal or diagnosis says. */
function isMove(entry: TimelineEntry): boolean {
  return entry.event.startsWith("incident_") && entry.event !== "incident_opened" && ending(entry) === "";
}

function words(entry: TimelineEntry): string {
  if (entry.says) return entry.says;
  return entry.event in SHAPES || ending(entry) !== "" ? "" : entry.event.replaceAll("_", " ");
}

/** `person:dana.meyer` is Dana; the assistant and the servers are nobody. */
function person(actor: string): string {
  return actor.startsWith("person:") ? actor.slice("person:".length) : "";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
