// Servers that many people use: log in with a token, log out, choose a namespace.
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { chosenNamespace, keepNamespace, logIn, logOut, type Me, type Refused } from "../api";
import { tame } from "../format";
import { reconnect } from "../live";
import { Empty } from "./states";

/** Reads all that is shown again, after another person or namespace was chosen. */
function useFreshStart(): () => void {
  const client = useQueryClient();
  return () => {
    reconnect();
    client.resetQueries();
  };
}

export function Login({ problem }: { problem: Refused }) {
  const begin = useFreshStart();
  const [failed, setFailed] = useState("");
  const [sending, setSending] = useState(false);
  const [token, setToken] = useState("");
  if (problem.login === "proxy")
    return (
      <Empty title="Not logged in">
        <p>{tame(problem.message)}</p>
        <p><button type="button" onClick={() => location.reload()}>Try again</button></p>
      </Empty>
    );
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setSending(true);
    const why = await logIn(token.trim());
    setSending(false);
    setFailed(why);
    if (why) return;
    setToken("");
    begin();
  };
  return (
    <Empty title="Log in">
      <p>{tame(problem.message)}</p>
      <form className="login" onSubmit={send}>
        <label className="field">
          <span>Token for the API server of this cluster</span>
          <input type="password" autoComplete="off" spellCheck={false} value={token} onChange={(event) => setToken(event.target.value)} />
        </label>
        <button type="submit" className="primary" disabled={sending || !token.trim()}>Log in</button>
      </form>
      {failed && <p className="verdict bad" role="alert">{tame(failed)}</p>}
      <p>
        For a ServiceAccount: <code>kubectl create token NAME -n NAMESPACE</code>. You see and change what this token may, and nothing
        else. The server holds it in memory until you log out, at most 12 hours.
      </p>
    </Empty>
  );
}

export function LogOut() {
  const begin = useFreshStart();
  return (
    <button type="button" className="quiet" onClick={() => logOut().then(begin)}>
      Log out
    </button>
  );
}

/** Which namespace is shown. `large`: as the content of a page. */
export function NamespaceChoice({ me, large }: { me: Me; large?: boolean }) {
  const begin = useFreshStart();
  const [name, setName] = useState(chosenNamespace);
  const send = (event: FormEvent) => {
    event.preventDefault();
    keepNamespace(name.trim());
    begin();
  };
  const form = (
    <form className="namespace" onSubmit={send}>
      <label>
        <span className={large ? "" : "hidden"}>Namespace</span>
        <input list="namespaces" value={name} placeholder="all namespaces" size={18} onChange={(event) => setName(event.target.value)} />
      </label>
      <datalist id="namespaces">{me.namespaces?.map((one) => <option key={one} value={one} />)}</datalist>
      <button type="submit">Show</button>
    </form>
  );
  if (!large) return form;
  return (
    <Empty title={me.everywhere ? "Which namespace?" : "You may not list the runs of this namespace"}>
      <p>
        {tame(me.user)} may not list runs {me.everywhere ? "in all namespaces" : `in ${tame(me.namespace)}`}; a binding of the chart's role
        waypost-view grants it.
      </p>
      {form}
    </Empty>
  );
}
