// Builds the front-end into the Python package. Addresses are relative, so it works below any path.
import { readdirSync, readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The licence texts of all packages that are in the bundle, as one file beside it. */
function licences() {
  const used = new Set();
  return {
    name: "licences",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        for (const id of Object.keys(chunk.modules ?? {})) {
          const found = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id.replace(/^\0/, ""));
          if (found) used.add(found[0]);
        }
      }
      const texts = [...used].sort().map((folder) => {
        const about = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
        const file = readdirSync(folder).find((name) => /^licen[sc]e/i.test(name));
        const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : "";
        return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
      });
      this.emitFile({
        type: "asset",
        fileName: "licenses.txt",
        source: texts.join(`\n${"-".repeat(72)}\n\n`),
      });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [react(), licences()],
  build: {
    outDir: process.env.WAYPOST_UI_OUT ?? "../operator/waypost/ui/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
