/**
 * The loader for any page: a launcher, and on the first click a frame of the assistant's own origin. It holds no conversation and no
 * sign-in; it fetches a token for asking from the host page's own backend and passes it on to the frame alone.
 */
type Host = { getToken?: () => Promise<string | null> | string | null; open?: () => void; close?: () => void };

((script: HTMLScriptElement) => {
  const given = script.dataset;
  const origin = new URL(given["endpoint"] ?? script.src).origin;
  const own: Host = ((window as unknown as { Countersign?: Host }).Countersign ??= {});
  const make = <K extends keyof HTMLElementTagNameMap>(tag: K): HTMLElementTagNameMap[K] => document.createElement(tag);
  const side = `inset-inline-${given["position"] === "start" ? "start" : "end"}:20px`;

  const host = make("div");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(
    `:host{all:initial!important}button,iframe{position:fixed;z-index:2147483000;inset-block-end:20px;${side};border:0}button{block-size:52px;inline-size:52px;border-radius:26px;background:var(--countersign-fill,#0b5c5e);color:#fff;font:26px/52px system-ui;cursor:pointer;box-shadow:0 4px 16px #0005}button:focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px #0b5c5e}b{position:absolute;inset:-4px -4px auto auto;min-inline-size:12px;padding:0 5px;border-radius:11px;background:#b0231f;font:13px/22px system-ui}b:empty{display:none}iframe{inset-block-end:84px;block-size:min(760px,100dvh - 104px);inline-size:min(480px,100vw - 40px);border-radius:12px;box-shadow:0 8px 40px #0005}[hidden]{display:none}@media(max-width:480px){iframe{inset:0;block-size:100dvh;inline-size:100vw;border-radius:0}}`,
  );
  root.adoptedStyleSheets = [sheet];

  const button = make("button");
  const badge = make("b");
  let frame: HTMLIFrameElement | undefined;
  const waiting = (n: number): void => {
    badge.textContent = n ? `${n}` : "";
    button.ariaLabel = `Countersign ${badge.textContent}`;
  };
  /** The conversation of this tab, for a browser that gives a frame no memory of its own; it is a name and opens nothing by itself. */
  const kept = (id?: string): string => {
    try {
      if (id != null) sessionStorage.countersign = id;
      return sessionStorage.countersign ?? "";
    } catch {
      return "";
    }
  };
  const say = (type: string, token?: string | null): void => frame?.contentWindow?.postMessage({ type: `countersign.${type}`, token }, origin);
  const show = (on: boolean): void => {
    button.ariaExpanded = `${on}`;
    if (frame) {
      frame.hidden = !on;
      if (on) say("opened");
    } else if (on) {
      frame = make("iframe");
      frame.title = "Countersign";
      frame.allow = "clipboard-write";
      frame.src = `${origin}/embed#${new URLSearchParams({ ...given, host: location.origin, thread: kept() })}`;
      root.append(frame);
    }
    (on ? frame : button)?.focus();
  };

  addEventListener("message", async ({ source, origin: from, data }) => {
    if (!frame || source !== frame.contentWindow || from !== origin) return;
    if (data.type === "countersign.ask-token") {
      let token = null;
      const url = given["tokenUrl"];
      try {
        token = own.getToken ? await own.getToken() : url && (await (await fetch(url, { cache: "no-store" })).json()).token;
      } catch {
        /* The frame hears that there is none. */
      }
      say("token", token);
    }
    if (data.type === "countersign.close") show(false);
    if (data.type === "countersign.waiting") waiting(data.n);
    if (data.type === "countersign.thread") kept(data.id);
  });
  button.onclick = () => show(button.ariaExpanded !== "true");
  host.onkeydown = (event) => {
    if (event.key === "Escape") show(false);
  };
  own.open = () => show(true);
  own.close = () => show(false);
  button.ariaExpanded = "false";
  button.append("✎", badge);
  waiting(0);
  root.append(button);
  document.body.append(host);
})(document.currentScript as HTMLScriptElement);
