// The least that a front end of somebody else's has to do: ask, show the card of the interrupt, send the decision.
// It knows AG-UI and nothing of the server but its address, a key, and that the interrupt's metadata has a card.

import { HttpAgent, buildResumeArray } from "@ag-ui/client";

const at = (id) => document.getElementById(id);
const connected = connect();
let agent;

async function connect() {
  const { origin, key } = await (await fetch("/config.json")).json();
  agent = new HttpAgent({ url: `${origin}/api/agent`, headers: { Authorization: `Bearer ${key}` } });
}

const card = () => agent.pendingInterrupts[0]?.metadata?.card;

function show() {
  const open = card();
  at("card").hidden = at("card").hidden && !open;
  for (const id of ["approve", "reject"]) at(id).disabled = !open;
  if (!open) return;
  at("card").querySelector("h2").textContent = open.headline;
  at("risk").textContent = `Risk ${open.risk.level}: ${open.risk.why}`;
  at("exact").textContent = open.exact;
  at("fix").textContent = open.state;
}

async function run(parameters) {
  at("state").textContent = "working";
  at("said").textContent = "";
  try {
    await agent.runAgent(parameters, {
      onTextMessageContentEvent: ({ event }) => at("said").append(event.delta),
      onActivitySnapshotEvent: ({ event }) => {
        if (event.activityType === "proposal") at("fix").textContent = event.content.state;
      },
      onRunErrorEvent: ({ event }) => at("said").append(event.message),
    });
  } catch (error) {
    at("said").append(String(error));
  }
  show();
  at("state").textContent = card() ? "waiting for you" : "idle";
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  await connected;
  agent.addMessage({ id: crypto.randomUUID(), role: "user", content: new FormData(event.target).get("text") });
  await run();
});

for (const [id, approved] of [["approve", true], ["reject", false]]) {
  at(id).addEventListener("click", () => {
    const payload = { approved, shown: card().shown };
    const [open] = agent.pendingInterrupts;
    run({ resume: buildResumeArray(agent.pendingInterrupts, { [open.id]: { status: "resolved", payload } }) });
  });
}
