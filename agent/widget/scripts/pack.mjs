/** Puts a .br and a .gz beside every text file of the bundle; a file that would not get smaller has none. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("../../api/static", import.meta.url));

for (const name of readdirSync(root, { recursive: true }).map(String)) {
  if (!/\.(js|css|svg|txt)$/.test(name)) continue;
  const raw = readFileSync(join(root, name));
  const packed = {
    br: brotliCompressSync(raw, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length },
    }),
    gz: gzipSync(raw, { level: 9 }),
  };
  for (const [suffix, small] of Object.entries(packed)) {
    if (small.length < raw.length) writeFileSync(join(root, `${name}.${suffix}`), small);
  }
}
