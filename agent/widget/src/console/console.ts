/** The console: a frame around its rooms, one stream of news, and who looks. */
import { LitElement, type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { type Api, Problem } from "../api";
import { announce, voice } from "../card/announce";
import { type IconName, icon } from "../card/icons";
import { EventStream, type StreamState } from "../sse";
import { outer } from "../theme";
import type { ConsoleEvent, Locale, Me, StopLevel, Theme } from "../types";
import { bar, barStyles } from "./bar";
import { consoleStyles } from "./console-styles";
import "./incident";
import "./incidents";
import "./knowledge";
import "./lab";
import { locale as keptLocale, setLocale, setTheme, theme as keptTheme, wear } from "./preferences";
import { type Route, route } from "./route";
import { type CountersignStop, stopped, stoppedStyles } from "./stop";
import { skeleton, trouble, troubleStyles } from "./trouble";
import "./waiting";
import { type ConsoleKey, type ConsoleWords, words } from "./words";

type Place = "incidents" | "waiting" | "knowledge" | "lab";

const PLACES: readonly (readonly [Place, ConsoleKey, IconName])[] = [
  ["incidents", "nav.incidents", "list"],
  ["waiting", "nav.waiting", "wait"],
  ["knowledge", "nav.knowledge", "book"],
  ["lab", "nav.lab", "flask"],
];
/** So often the rooms look again while the stream of events is not there. */
const POLL_MS = 10_000;

export class CountersignConsole extends LitElement {
  static override styles = [...outer, barStyles, troubleStyles, stoppedStyles, consoleStyles];

  @property({ attribute: false }) api!: Api;
  @property({ reflect: true }) theme: Theme = keptTheme();

  @state() private locale: Locale = keptLocale();
  @state() private me: Me | null = null;
  @state() private problem: unknown = null;
  @state() private signedOut = false;
  @state() private at: Route = route(location.hash);
  @state() private stream: StreamState = "connecting";
  @state() private heard: { count: number; event: ConsoleEvent | null } = { count: 0, event: null };
  @state() private waiting = 0;

  private say: ConsoleWords = words("en");
  private events: EventStream | null = null;
  private poll: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    voice();
    wear(this.theme);
    setLocale(this.locale);
    addEventListener("hashchange", this.onHash);
    addEventListener("keydown", this.onKey);
    this.addEventListener("countersign-sign-in", this.onSignIn);
    void this.start();
  }

  override disconnectedCallback(): void {
    removeEventListener("hashchange", this.onHash);
    removeEventListener("keydown", this.onKey);
    this.removeEventListener("countersign-sign-in", this.onSignIn);
    this.events?.close();
    clearInterval(this.poll);
    super.disconnectedCallback();
  }

  protected override willUpdate(changes: PropertyValues): void {
    if (changes.has("locale")) this.say = words(this.locale);
    const here = this.at.room === "incident" ? this.at.id : this.say(`nav.${this.at.room}`);
    document.title = `${this.waiting > 0 ? `(${this.waiting}) ` : ""}${here} · Countersign`;
  }

  private async start(): Promise<void> {
    this.problem = null;
    try {
      this.me = await this.api.me();
    } catch (error) {
      if (error instanceof Problem && error.signedOut) this.onSignIn();
      else this.problem = error;
      return;
    }
    this.events ??= new EventStream(this.api, "/api/events", {
      onEvent: (event) => this.news(event as ConsoleEvent),
      onState: (to) => this.streamIs(to),
      onRefused: (problem) => {
        if (problem.signedOut) this.onSignIn();
      },
    });
    this.poll ??= setInterval(() => {
      if (this.stream !== "open" && this.stream !== "offline") this.everything();
    }, POLL_MS);
    void this.count();
  }

  private news(event: ConsoleEvent): void {
    if (!["incident", "proposal", "stop"].includes(event.type)) return;
    this.heard = { count: this.heard.count + 1, event };
    if (event.type === "proposal") void this.count();
    if (event.type === "stop") void this.askMe();
  }

  private streamIs(to: StreamState): void {
    const back = to === "open" && (this.stream === "reconnecting" || this.stream === "offline");
    this.stream = to;
    if (back) this.everything();
  }

  /** Something may have happened unheard: every room looks again. */
  private everything(): void {
    const at = this.at.room === "incident" ? this.at.id : "";
    this.heard = { count: this.heard.count + 1, event: { type: "proposal", digest: "", incident: at, state: "awaiting" } };
    void this.count();
    void this.askMe();
  }

  private async count(): Promise<void> {
    try {
      const before = this.waiting;
      this.waiting = (await this.api.proposals("awaiting")).length;
      if (this.waiting > before) announce(this.say("waiting_count", { n: this.waiting }));
    } catch {
      // the rooms say what is wrong
    }
  }

  private async askMe(): Promise<void> {
    try {
      this.me = await this.api.me();
    } catch (error) {
      if (error instanceof Problem && error.signedOut) this.onSignIn();
    }
  }

  private readonly onHash = (): void => {
    const before = this.at;
    this.at = route(location.hash);
    if (before.room === this.at.room && before.room !== "incident") return;
    scrollTo(0, 0);
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>("#content")?.focus({ preventScroll: true }));
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    if (target instanceof HTMLElement && (target.matches("input, textarea, select") || target.isContentEditable)) return;
    const room = this.renderRoot.querySelector("#content")?.firstElementChild;
    const field = room?.shadowRoot?.querySelector<HTMLElement>("[data-search]");
    if (!field) return;
    event.preventDefault();
    field.focus();
  };

  private readonly onSignIn = (): void => {
    if (!this.signedOut) location.assign(`/sign-in?next=${encodeURIComponent(`/${location.hash}`)}`);
  };

  private async signOut(): Promise<void> {
    this.signedOut = true;
    this.events?.close();
    clearInterval(this.poll);
    try {
      await this.api.signOut();
    } catch {
      // the session may have ended already
    }
    this.me = null;
    announce(this.say("signed_out"));
  }

  private dialog(level: StopLevel | null): void {
    this.renderRoot.querySelector<CountersignStop>("countersign-stop")?.open(level);
  }

  protected override render(): TemplateResult {
    const { say } = this;
    return html`<div class="root">
      <a class="skip" href="#content" @click=${this.skip}>${say("skip")}</a>
      ${bar(
        {
          say,
          me: this.me,
          theme: this.theme,
          locale: this.locale,
          home: "#/incidents",
          setTheme: (to) => {
            this.theme = to;
            setTheme(to);
          },
          setLocale: (to) => {
            this.locale = to;
            setLocale(to);
          },
          signOut: () => void this.signOut(),
        },
        html`${this.connection()}
        ${this.me?.permissions.includes("stop")
          ? html`<button class="button danger" type="button" @click=${() => this.dialog(null)}>${icon("stop")} ${say("stop")}</button>`
          : nothing}`,
      )}
      ${stopped(this.me, say, this.locale, (level) => this.dialog(level))}
      ${this.signedOut || !this.me ? this.outside() : this.inside(this.me)}
      <countersign-stop .api=${this.api} .locale=${this.locale} @countersign-stopped=${() => void this.askMe()}></countersign-stop>
    </div>`;
  }

  private connection(): unknown {
    const { say } = this;
    if (!this.me || this.stream === "connecting" || this.stream === "ended") return nothing;
    return this.stream === "open"
      ? html`<span class="live muted small">${say("live")}</span>`
      : html`<span class="badge warn" role="status">${icon("warn")} ${say(this.stream === "offline" ? "offline" : "reconnecting")}</span>`;
  }

  private outside(): TemplateResult {
    const { say } = this;
    return html`<div id="content" class="content alone" tabindex="-1">
      ${this.signedOut
        ? html`<div class="empty">
            ${icon("person")}
            <h1>${say("signed_out")}</h1>
            <p class="muted">${say("signed_out_more")}</p>
            <a class="button primary" href="/sign-in?next=/">${say("sign_in")}</a>
          </div>`
        : this.problem
          ? trouble(this.problem, say, () => void this.start())
          : html`<h1 class="sr">Countersign</h1>
              ${skeleton(8, say)}`}
    </div>`;
  }

  private inside(me: Me): TemplateResult {
    const { say } = this;
    const here = this.at.room === "incident" ? "incidents" : this.at.room;
    return html`<div class="frame">
      <nav class="rooms" aria-label=${say("nav")}>
        ${PLACES.filter(([place]) => place !== "lab" || me.demo).map(
          ([place, key, sign]) => html`<a href=${`#/${place}`} aria-current=${place === here ? "page" : nothing}>
            ${icon(sign)} <span>${say(key)}</span>
            ${place === "waiting" && this.waiting > 0
              ? html`<span class="count"><span aria-hidden="true">${this.waiting}</span><span class="sr">${say("waiting_count", { n: this.waiting })}</span></span>`
              : nothing}
          </a>`,
        )}
      </nav>
      <div id="content" class="content" tabindex="-1">${this.room(me)}</div>
    </div>`;
  }

  private room(me: Me): TemplateResult {
    const { api, locale, heard, at } = this;
    switch (at.room) {
      case "incidents":
        return html`<countersign-incidents .api=${api} .me=${me} .locale=${locale} .heard=${heard} .filter=${at}></countersign-incidents>`;
      case "incident":
        return html`<countersign-incident
          .api=${api}
          .me=${me}
          .locale=${locale}
          .heard=${heard}
          .incident=${at.id}
          .offline=${this.stream === "offline"}
        ></countersign-incident>`;
      case "waiting":
        return html`<countersign-waiting .api=${api} .me=${me} .locale=${locale} .heard=${heard}></countersign-waiting>`;
      case "knowledge":
        return html`<countersign-knowledge .api=${api} .me=${me} .locale=${locale} .heard=${heard} .q=${at.q}></countersign-knowledge>`;
      case "lab":
        return html`<countersign-lab .api=${api} .me=${me} .locale=${locale} .heard=${heard}></countersign-lab>`;
    }
  }

  private readonly skip = (event: Event): void => {
    event.preventDefault();
    this.renderRoot.querySelector<HTMLElement>("#content")?.focus();
  };
}

customElements.define("countersign-console", CountersignConsole);
