/** Follows the newest text while the reader is at the end, and leaves them alone when they are not. */

const NEAR_PX = 32;

export class Follower {
  /** Whether the reader is at the end, so that new text moves the view. */
  following = true;
  private observer: ResizeObserver | null = null;
  private log: HTMLElement | null = null;

  constructor(private readonly onChange: () => void) {}

  watch(log: HTMLElement | null, content: HTMLElement | null): void {
    if (log === this.log) return;
    this.stop();
    this.log = log;
    if (!log || !content) return;
    log.addEventListener("scroll", this.onScroll, { passive: true });
    if (typeof ResizeObserver === "undefined") return;
    this.observer = new ResizeObserver(() => this.keepUp());
    this.observer.observe(content);
    this.observer.observe(log);
  }

  stop(): void {
    this.observer?.disconnect();
    this.observer = null;
    this.log?.removeEventListener("scroll", this.onScroll);
    this.log = null;
  }

  toEnd(): void {
    this.set(true);
    this.keepUp();
  }

  /** Puts the beginning of something long (a card) in view, to be read from there. */
  toStartOf(element: HTMLElement): void {
    const { log } = this;
    if (!log) return;
    const away = element.getBoundingClientRect().top - log.getBoundingClientRect().top;
    if (element.offsetHeight < log.clientHeight - NEAR_PX) {
      this.toEnd();
      return;
    }
    this.set(false);
    log.scrollTop += away - 12;
  }

  private keepUp(): void {
    const { log } = this;
    if (!log) return;
    if (this.following) log.scrollTop = log.scrollHeight;
    else this.onScroll();
  }

  private readonly onScroll = (): void => {
    const { log } = this;
    if (log) this.set(log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX);
  };

  private set(following: boolean): void {
    if (following === this.following) return;
    this.following = following;
    this.onChange();
  }
}
