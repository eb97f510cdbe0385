import { defineConfig } from "vite";
import { germanLater, lexerLater, lexerOnly, templates } from "./scripts/slim";

/** Where the Python package serves the bundle from; git-ignored, made by `npm run build`. */
const OUT = "../api/static";

/** Entries of our own pages: `/embed`, `/approvals/{digest}`, `/`; they share hashed chunks. */
const PAGES = {
  frame: "src/pages/frame.ts",
  approval: "src/pages/approval.ts",
  console: "src/pages/console.ts",
};

/**
 * Four builds of one source: `pages` (ES modules with shared chunks), `lexer` and `widget` (one ES module each; the widget holds the
 * lexer's hash, so it is built after it) and `embed` (one classic script). Each is what a page of another kind can load.
 */
export default defineConfig(({ mode }) => {
  const common = {
    target: "es2022",
    outDir: OUT,
    emptyOutDir: false,
    minify: true,
    sourcemap: false,
    reportCompressedSize: false,
    modulePreload: false as const,
    assetsInlineLimit: 0,
  };
  if (mode !== "pages") {
    const format = mode === "embed" ? ("iife" as const) : ("es" as const);
    return {
      publicDir: false as const,
      plugins: [templates(), lexerOnly(), ...(mode === "widget" ? [germanLater(), lexerLater()] : [])],
      build: {
        ...common,
        rolldownOptions: {
          input: `src/${mode}.ts`,
          preserveEntrySignatures: "strict" as const,
          output: { format, entryFileNames: `${mode}.js`, codeSplitting: false },
        },
      },
    };
  }
  return {
    publicDir: false as const,
    plugins: [templates(), lexerOnly()],
    build: {
      ...common,
      rolldownOptions: {
        input: PAGES,
        output: {
          format: "es" as const,
          entryFileNames: "[name].js",
          chunkFileNames: "chunks/[name]-[hash].js",
          assetFileNames: "chunks/[name]-[hash][extname]",
        },
      },
    },
  };
});
