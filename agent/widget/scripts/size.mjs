/** Prints every script's size (bytes, brotli 11) and fails above the promised limits. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const LIMITS = { "embed.js": 1024, "widget.js": 32 * 1024 };
const root = fileURLToPath(new URL("../../api/static", import.meta.url));

const files = readdirSync(root, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".js"))
  .sort();
let over = false;
for (const name of files) {
  const raw = readFileSync(join(root, name));
  const small = brotliCompressSync(raw, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length },
  });
  const limit = LIMITS[name];
  const tooBig = limit !== undefined && small.length > limit;
  over ||= tooBig;
  const promise = limit === undefined ? "" : `  limit ${limit}${tooBig ? "  TOO BIG" : ""}`;
  console.log(`${name.padEnd(28)} ${String(raw.length).padStart(8)} B  ${String(small.length).padStart(7)} B brotli${promise}`);
}
for (const name of Object.keys(LIMITS)) {
  if (!files.includes(name)) {
    console.error(`${name} is missing: run "npm run build" first`);
    over = true;
  }
}
process.exit(over ? 1 : 0);
