/** Which room of the console the address names: `#/incidents/INC-0003`, `#/knowledge?q=vpn`. */

export type Route =
  | { room: "incidents"; state: string; service: string; q: string }
  | { room: "incident"; id: string }
  | { room: "waiting" }
  | { room: "knowledge"; q: string }
  | { room: "lab" };

/** Read a hash; what is not known leads to the incidents. */
export function route(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const query = new URLSearchParams(search);
  const [room = "", id = ""] = path.split("/", 2).map(plain);
  switch (room) {
    case "incidents":
      if (id !== "") return { room: "incident", id };
      break;
    case "waiting":
      return { room: "waiting" };
    case "knowledge":
      return { room: "knowledge", q: query.get("q") ?? "" };
    case "lab":
      return { room: "lab" };
  }
  return { room: "incidents", state: query.get("state") ?? "", service: query.get("service") ?? "", q: query.get("q") ?? "" };
}

/** The hash of a room; empty filters are left out. */
export function hash(to: Route): string {
  switch (to.room) {
    case "incident":
      return `#/incidents/${encodeURIComponent(to.id)}`;
    case "incidents":
      return `#/incidents${query({ state: to.state, service: to.service, q: to.q })}`;
    case "knowledge":
      return `#/knowledge${query({ q: to.q })}`;
    default:
      return `#/${to.room}`;
  }
}

function query(all: Record<string, string>): string {
  const given = Object.entries(all).filter(([, value]) => value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
