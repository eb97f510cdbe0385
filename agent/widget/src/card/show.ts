/** Registers the card that shows and cannot decide: for pages that others may write on. */
import { CardView } from "./view";

if (!customElements.get("countersign-card")) customElements.define("countersign-card", CardView);

export { CardView };
