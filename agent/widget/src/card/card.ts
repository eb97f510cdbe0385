/** Registers the card that can decide: for pages of our own origin. */
import { CardDecide } from "./decide";

if (!customElements.get("countersign-card")) customElements.define("countersign-card", CardDecide);

export { CardDecide };
