/** Registers the chat with the card that can decide: for pages of our own origin. */
import "../card/card";
import { Chat } from "./view";

if (!customElements.get("countersign-chat")) customElements.define("countersign-chat", Chat);

export { Chat };
