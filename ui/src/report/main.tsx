// The report: the page of one run, with its data in the same file. It makes no request.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { answerWith } from "../api";
import { openReport } from "../shell";
import { applyTheme } from "../theme";
import { answers } from "./answers";
import { ReportApp } from "./ReportApp";
import "@xyflow/react/dist/base.css";
import "../styles.css";

applyTheme();
const found = openReport();
answerWith(answers(found));
document.title = `${found.run.name} · Waypost`;
const client = new QueryClient({
  defaultOptions: { queries: { networkMode: "always", staleTime: Number.POSITIVE_INFINITY, retry: false } },
});
const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <ReportApp report={found} />
      </QueryClientProvider>
    </StrictMode>,
  );
