/** Entry of /approvals/{digest}: fills `<main id=app>`. */
import { Api } from "../api";
import { CountersignApproval, digestOf } from "../console/approval";
import { theme } from "../console/preferences";
import { dressPage } from "../theme";

dressPage(theme());
const page = new CountersignApproval();
page.api = new Api("", { kind: "cookie" });
page.digest = digestOf(location.pathname);
document.querySelector("#app")?.append(page);
