/** The entry of `/embed`: what the frame on a host's page shows. */
import { Frame } from "../frame/frame";
import { dressPage } from "../theme";

const about = new URLSearchParams(location.hash.slice(1));
dressPage(about.get("theme"));
const frame = new Frame();
frame.about(about);
document.getElementById("app")?.append(frame);
