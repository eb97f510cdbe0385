/** Entry of `/`: fills `<main id=app>`. */
import { Api } from "../api";
import { CountersignConsole } from "../console/console";
import { theme } from "../console/preferences";
import { dressPage } from "../theme";

dressPage(theme());
const page = new CountersignConsole();
page.api = new Api("", { kind: "cookie" });
document.querySelector("#app")?.append(page);
