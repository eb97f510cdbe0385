/** What every room of the console shares: asking the server, waiting, failing, asking again when something happened. */
import { LitElement, type PropertyValues, type TemplateResult, html } from "lit";
import { property, state } from "lit/decorators.js";
import { type Api, Problem } from "../api";
import { base } from "../theme";
import type { ConsoleEvent, Locale, Me } from "../types";
import { roomStyles } from "./styles";
import { skeleton, trouble, troubleStyles } from "./trouble";
import { type ConsoleWords, words } from "./words";

/** Events that come close together ask the server once. */
const GATHER_MS = 200;
const AGES_MS = 15_000;

export abstract class Room<T> extends LitElement {
  static override styles = [...base, troubleStyles, roomStyles];

  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) me: Me | null = null;
  @property() locale: Locale = "en";
  /** Counts up with each event that this room may want to hear. */
  @property({ attribute: false }) heard: { count: number; event: ConsoleEvent | null } = { count: 0, event: null };

  @state() protected data: T | null = null;
  @state() private problem: unknown = null;
  @state() protected now = Date.now();

  protected say: ConsoleWords = words("en");
  protected bones = 6;
  private gather: ReturnType<typeof setTimeout> | undefined;
  private clock: ReturnType<typeof setInterval> | undefined;
  private asked = 0;

  protected abstract ask(): Promise<T>;
  protected abstract draw(data: T): TemplateResult;

  /** Whether an event changes what this room shows. */
  protected minds(_event: ConsoleEvent): boolean {
    return true;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.clock = setInterval(() => {
      this.now = Date.now();
    }, AGES_MS);
  }

  override disconnectedCallback(): void {
    clearInterval(this.clock);
    clearTimeout(this.gather);
    super.disconnectedCallback();
  }

  protected override willUpdate(changes: PropertyValues): void {
    if (changes.has("locale")) this.say = words(this.locale);
    if (changes.has("heard") && this.heard.event && this.minds(this.heard.event)) this.soon();
  }

  protected override firstUpdated(): void {
    void this.load();
  }

  protected soon(): void {
    clearTimeout(this.gather);
    this.gather = setTimeout(() => void this.load(), GATHER_MS);
  }

  /** Ask the server; an answer that was overtaken by a newer question is dropped. */
  protected async load(): Promise<void> {
    const number = ++this.asked;
    try {
      const data = await this.ask();
      if (number !== this.asked) return;
      this.data = data;
      this.problem = null;
      this.now = Date.now();
    } catch (error) {
      if (number !== this.asked) return;
      if (error instanceof Problem && error.signedOut)
        this.dispatchEvent(new CustomEvent("countersign-sign-in", { bubbles: true, composed: true }));
      this.problem = error;
    }
  }

  protected again(): void {
    this.problem = null;
    this.data = null;
    void this.load();
  }

  /** What stands there although the data is still missing, such as a search field. */
  protected head(): unknown {
    return "";
  }

  protected override render(): TemplateResult {
    const body =
      this.data !== null
        ? this.draw(this.data)
        : this.problem
          ? trouble(this.problem, this.say, () => this.again())
          : skeleton(this.bones, this.say);
    return html`<div class="root">${this.head()}${body}</div>`;
  }
}
