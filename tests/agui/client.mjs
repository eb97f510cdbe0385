// A front end as others write it: @ag-ui/client, driven by commands on standard input, one JSON object on a line.
//
//   node client.mjs FOLDER    FOLDER has the node_modules; every command is answered by one line.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "package.json"));
const agents = new Map();
let complaints = [];
for (const kind of ["warn", "error"]) {
  console[kind] = (...said) => complaints.push(said.map(String).join(" "));
}

const said = (error) => String(error?.message ?? error);

const commands = {
  /** Make an agent: one conversation with one client. */
  agent({ name, client, url, headers, thread }) {
    const { HttpAgent } = require(client);
    agents.set(name, { client, agent: new HttpAgent({ url, headers, ...(thread ? { threadId: thread } : {}) }) });
    return { thread: agents.get(name).agent.threadId };
  },

  /** Run it: with a message of the user, or with answers to the interrupts that are open. */
  async run({ name, text, answers }) {
    const { client, agent } = agents.get(name);
    const { buildResumeArray } = require(client);
    if (text !== undefined) agent.addMessage({ id: `m-${crypto.randomUUID()}`, role: "user", content: text });
    const events = [];
    let error = "";
    try {
      const resume = answers && buildResumeArray(agent.pendingInterrupts, answers);
      await agent.runAgent(resume ? { resume } : {}, { onEvent: ({ event }) => void events.push(event) });
    } catch (caught) {
      error = said(caught);
    }
    return { events, error, pending: agent.pendingInterrupts, messages: agent.messages };
  },

  /** Put recorded events through what the client itself puts a run through. */
  async verify({ client, events }) {
    const { EventSchemas, enforceEvents, transformChunks, verifyEvents } = require(client);
    const { from, lastValueFrom, map, toArray } = require("rxjs");
    // The clients before 1.0 put their schemas on what comes over the wire; since then that is done with enforcement.
    const shapes = enforceEvents ? enforceEvents() : map((event) => EventSchemas.parse(event));
    const checks = [shapes, transformChunks(), verifyEvents()];
    try {
      const passed = await lastValueFrom(from(events).pipe(...checks, toArray()));
      return { passed: passed.length, error: "" };
    } catch (caught) {
      return { passed: 0, error: said(caught) };
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  complaints = [];
  let answer;
  try {
    answer = await commands[command.do](command);
  } catch (caught) {
    answer = { failed: said(caught) };
  }
  process.stdout.write(`${JSON.stringify({ ...answer, complaints })}\n`);
}
