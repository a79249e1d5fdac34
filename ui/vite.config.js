// Builds the front-end into the Python package. Addresses are relative, so it works below any path.
// `--mode report` builds the report: the same pages in one file, into which `waypost` puts the data.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The licence texts of all packages that are in the bundle. */
function licencesOf(bundle) {
  const used = new Set();
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
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}

/** Writes the licences as one file beside the bundle. */
function licences() {
  return {
    name: "licences",
    generateBundle(_, bundle) {
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: licencesOf(bundle) });
    },
  };
}

const digest = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;
// Nothing in a script may end it or begin a comment of HTML.
const enclosed = (text) => text.replace(/<(?=\/script|!--|script)/gi, "\\x3C");

/** Puts script, style and licences into the page, and allows exactly those by its policy. */
function oneFile() {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const [page, ...others] = Object.values(bundle).filter((one) => one.fileName.endsWith(".html"));
        const scripts = Object.values(bundle).filter((one) => one.type === "chunk");
        const styles = Object.values(bundle).filter((one) => one.fileName.endsWith(".css"));
        if (!page || others.length > 0 || scripts.length !== 1 || styles.length !== 1)
          this.error(`expected one page, one script and one style; found ${Object.keys(bundle).join(", ")}`);
        const script = enclosed(scripts[0].code);
        const style = String(styles[0].source);
        const policy = `default-src 'none'; script-src ${digest(script)}; style-src ${digest(style)}; base-uri 'none'; form-action 'none'`;
        const notes = licencesOf(bundle).replaceAll("<", "‹");
        const html = String(page.source)
          .replace(/<script type="module"[^>]*><\/script>/, "")
          .replace(/<link rel="stylesheet"[^>]*>/, "")
          .replace(/<meta charset="utf-8" ?\/?>/, (found) => `${found}\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`)
          .replace("</head>", () => `  <style>${style}</style>\n  </head>`)
          .replace("</body>", () => `  <script type="text/plain" id="licenses">\n${notes}</script>\n    <script type="module">${script}</script>\n  </body>`);
        for (const name of Object.keys(bundle)) delete bundle[name];
        this.emitFile({ type: "asset", fileName: "report.html", source: html });
      },
    },
  };
}

export default defineConfig(({ mode }) => {
  const report = mode === "report";
  return {
    base: "./",
    plugins: [react(), report ? oneFile() : licences()],
    build: {
      outDir: process.env.WAYPOST_UI_OUT ?? "../operator/waypost/ui/static",
      emptyOutDir: !report,
      target: "es2022",
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      ...(report && {
        cssCodeSplit: false,
        rolldownOptions: { input: "report.html", output: { codeSplitting: false } },
      }),
    },
  };
});
