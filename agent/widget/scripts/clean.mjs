/** Empties the bundle's directory, so that a chunk of an earlier build is never shipped. */
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

rmSync(fileURLToPath(new URL("../../api/static", import.meta.url)), { recursive: true, force: true });
