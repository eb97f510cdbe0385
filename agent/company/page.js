// The company's own page: its tickets, the portal's state, and the buttons that break something.
const byId = (id) => document.getElementById(id);
const element = (name, text = "", kind = "") => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

let shown = "";

async function send(path, content) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

function ticket(one) {
  const box = element("article", "", "ticket");
  const head = element("h3", `${one.ticket}  ${one.subject}`);
  box.append(head, element("p", `${one.status} · ${one.service || "no service named"} · filed ${new Date(one.created_at).toLocaleString()}`, "quiet"));
  for (const note of one.notes) {
    const folded = element("details");
    folded.dataset.key = `${one.ticket}-${note.at ?? note.created_at ?? ""}`;
    folded.open = one.notes.indexOf(note) === one.notes.length - 1;
    folded.append(element("summary", `Internal note · ${note.text.split("\n")[0].slice(0, 140)}`));
    folded.append(element("pre", note.text));
    box.append(folded);
  }
  if (!one.notes.length) box.append(element("p", "No note yet.", "quiet"));
  return box;
}

async function refresh() {
  try {
    const state = await (await fetch("/state")).json();
    const well = byId("well");
    well.textContent = state.well ? `Works: ${state.says}.` : `Does not work: ${state.says}.`;
    well.className = state.well ? "well" : "ill";
    const text = JSON.stringify(state.tickets);
    if (text !== shown) {
      shown = text;
      byId("tickets").replaceChildren(
        ...(state.tickets.length ? state.tickets.map(ticket) : [element("p", "No tickets. Break something, or report a problem.", "quiet")]),
      );
    }
    if (!byId("faults").children.length) {
      for (const fault of state.faults) {
        const button = element("button", fault.summary);
        button.dataset.fault = fault.name;
        byId("faults").append(button);
      }
    }
  } catch {
    byId("well").textContent = "The demo does not answer; it may have been stopped.";
    byId("well").className = "ill";
  }
  setTimeout(refresh, 2500);
}

byId("faults").addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const status = byId("broken");
  button.disabled = true;
  status.textContent = "Breaking it, and waiting until somebody feels it …";
  try {
    status.textContent = `Broken. ${(await send("/break", { fault: button.dataset.fault })).ticket} was filed.`;
  } catch (error) {
    status.textContent = error.message;
  }
  button.disabled = false;
});

byId("mend").addEventListener("click", async () => {
  byId("broken").textContent = "Putting everything right …";
  await send("/mend", {});
  byId("broken").textContent = "Everything was put right by hand.";
});

byId("report").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const status = form.querySelector("[role=status]");
  try {
    const told = await send("/report", Object.fromEntries(new FormData(form)));
    status.textContent = `Filed as ${told.ticket}.`;
    form.reset();
  } catch (error) {
    status.textContent = error.message;
  }
});

refresh();
