import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { openSession, Refused } from "./api";
import { keepFollowing } from "./live";
import { applyTheme } from "./theme";
import "@xyflow/react/dist/base.css";
import "./styles.css";

const unauthenticated = (error: Error | null) => error instanceof Refused && error.status === 401;

applyTheme();
const client: QueryClient = new QueryClient({
  // A session that has ended shows at the first request; who the user is decides what is shown.
  queryCache: new QueryCache({
    onError: (error, query) => {
      // Asking again would take the form from a person who is already logging in.
      if (unauthenticated(error) && query.queryKey[0] !== "me")
        client.invalidateQueries({ queryKey: ["me"], predicate: (me) => !unauthenticated(me.state.error) });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      // A refusal stays one; a server that does not answer, or cannot yet (503), may come back.
      retry: (failures, error) => error instanceof Refused && (error.status === 0 || error.status === 503) && failures < 3,
    },
  },
});

const failed = await openSession();
keepFollowing(client);
const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <App linkProblem={failed} />
      </QueryClientProvider>
    </StrictMode>,
  );
