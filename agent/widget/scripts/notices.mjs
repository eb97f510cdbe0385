/** Writes the licences of what the bundle contains next to it: minifying drops the comments that carry them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const BUNDLED = ["lit", "lit-html", "lit-element", "@lit/reactive-element", "marked"];
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const parts = BUNDLED.map((name) => {
  const { version, license } = JSON.parse(readFileSync(at(`node_modules/${name}/package.json`), "utf8"));
  const file = ["LICENSE", "LICENSE.md"].map((one) => at(`node_modules/${name}/${one}`)).find(existsSync);
  if (!file) throw new Error(`${name} carries no licence text`);
  return `${name} ${version} (${license})\n\n${readFileSync(file, "utf8").trim()}\n`;
});
const head = "The scripts in this directory contain the following packages.\n";
writeFileSync(at("../api/static/THIRD_PARTY_NOTICES.txt"), [head, ...parts].join(`\n${"-".repeat(80)}\n\n`));
