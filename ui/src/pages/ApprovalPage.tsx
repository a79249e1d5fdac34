// One question: what is asked, what follows a yes, and the answer.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Asked } from "../api";
import type { JsonValue } from "../documents";
import { absolute, cut, tame, until } from "../format";
import { AnswerForm } from "../parts/AnswerForm";
import { Json } from "../parts/Json";
import { useMe } from "../parts/me";
import { Command, Phase, quoted } from "../parts/small";
import { Loading, Problem } from "../parts/states";
import { answeredBy } from "../parts/who";
import { Link } from "../router";

export function ApprovalPage({ namespace, name }: { namespace: string; name: string }) {
  const found = useQuery({ queryKey: ["question", namespace, name], queryFn: () => api.question(namespace, name) });
  if (found.isPending) return <Loading what={`approval ${name}`} />;
  if (!found.data) return <Problem error={found.error as Error} retry={() => found.refetch()} />;
  const asked = found.data;
  return (
    <article className="question">
      <p className="crumbs">
        <Link to={["approvals"]}>Approvals</Link> / {tame(namespace)} /{" "}
        <Link to={["runs", namespace, asked.run]} query={{ node: asked.path }}>{tame(asked.run)}</Link>
      </p>
      <div className="head"><h1>{tame(asked.name)}</h1><Phase phase={asked.state} /></div>
      <p className="message">{tame(asked.message)}</p>
      <dl className="facts">
        <div><dt>Node</dt><dd>{tame(asked.path)}</dd></div>
        <div><dt>Who may answer</dt><dd>{asked.approvers.length ? tame(asked.approvers.join(", ")) : "anyone with the right"}</dd></div>
        {asked.requesters.length > 0 && <div><dt>Asked for it, may not answer</dt><dd>{tame(asked.requesters.join(", "))}</dd></div>}
        {!!asked.level && <div><dt>Escalation level</dt><dd>{asked.level}: others did not answer in time</dd></div>}
        {asked.escalatedTo && <div><dt>Escalated to</dt><dd><Link to={["approvals", asked.namespace, asked.escalatedTo]}>{tame(asked.escalatedTo)}</Link></dd></div>}
        {asked.required > 1 && <div><dt>Votes</dt><dd>{tame(asked.votes ?? `0 of ${asked.required}`)}</dd></div>}
        {asked.state === "Open" && asked.expiresAt && <div><dt>Expires</dt><dd title={absolute(asked.expiresAt)}>{until(asked.expiresAt)}</dd></div>}
        <div><dt>Digest of the question</dt><dd title={tame(asked.digest)}><code>{tame(cut(asked.digest, 23))}</code></dd></div>
        {asked.decidedBy && <div><dt>Answered by</dt><dd title={tame(asked.identityNote ?? "")}>{answeredBy(asked.decidedBy, asked.identityVerified)}</dd></div>}
        {asked.decidedAt && <div><dt>Answered</dt><dd>{absolute(asked.decidedAt)}</dd></div>}
        {asked.reason && <div><dt>Reason</dt><dd>{tame(asked.reason)}</dd></div>}
      </dl>
      {asked.context && <section className="part"><h2>Context</h2><Json value={asked.context} label="Context" /></section>}
      {!!asked.attachments?.length && (
        <section className="part">
          <h2>Attached</h2>
          <ul className="then">
            {asked.attachments.map((one) => (
              <li key={one.name}>
                <strong>{tame(one.name)}</strong>{" "}
                <span className="dim">{one.files} files, {one.bytes} bytes</span> <code>{tame(one.digest)}</code>
                <Command text={`waypost download ${quoted(one.record)} -n ${quoted(asked.namespace)}`} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <Then asked={asked} />
      {asked.state === "Open" ? <Decide key={asked.digest} asked={asked} /> : null}
    </article>
  );
}

function Then({ asked }: { asked: Asked }) {
  if (asked.then.length === 0)
    return <section className="part"><h2>After a yes</h2><p className="dim">{tame(asked.note ?? "No node waits for this answer.")}</p></section>;
  return (
    <section className="part">
      <h2>After a yes</h2>
      <ul className="then">
        {asked.then.map((one) => (
          <li key={one.path}>
            <strong>{tame(one.path)}</strong> <span className="dim">{tame(one.kind)}</span>
            {one.effect !== "none" && <span className="tag" title="what a second execution would do">effect: {tame(one.effect)}</span>}
            {one.destination && <code>{tame(one.destination)}</code>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Decide({ asked }: { asked: Asked }) {
  const me = useMe(asked.namespace);
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const [answer, setAnswer] = useState<JsonValue | undefined>(undefined);
  const [incomplete, setIncomplete] = useState("");
  const [edits, setEdits] = useState(false);
  const isCall = asked.subject === "toolCall";
  const typed = asked.answerSchema !== undefined && (!isCall || edits);
  const sent = useMutation({
    mutationFn: (decision: "Approved" | "Denied") =>
      api.answer(asked.namespace, asked.name, {
        decision,
        digest: asked.digest,
        ...(reason && { reason }),
        ...(typed && decision === "Approved" && answer !== undefined && { answer }),
      }),
    onSettled: () => {
      client.invalidateQueries({ queryKey: ["question", asked.namespace, asked.name] });
      client.invalidateQueries({ queryKey: ["approvals"] });
    },
  });
  const why = me.data?.readOnly
    ? "This server is read-only."
    : asked.user && asked.requesters.includes(asked.user)
      ? `You (${tame(asked.user)}) asked for this, so another person must answer.`
      : me.data?.may.answer === false
      ? `You (${tame(asked.user)}) have no right to answer approvals here; the chart's role waypost-approver grants it.`
      : "";
  const named = `${quoted(asked.name)} -n ${quoted(asked.namespace)}`;
  const given = typed && answer !== undefined ? ` --answer ${quoted(JSON.stringify(answer))}` : "";
  return (
    <section className="part decide" aria-labelledby="decide">
      <h2 id="decide">Your answer{asked.user && <span className="dim"> as {tame(asked.user)}</span>}</h2>
      {why && <p className="verdict">{why}</p>}
      {isCall && (
        <label className="field">
          <span>
            <input
              type="checkbox"
              checked={edits}
              onChange={(event) => {
                setEdits(event.target.checked);
                setIncomplete("");
              }}
            />{" "}
            Change the arguments
          </span>
        </label>
      )}
      {asked.answerSchema && typed && (
        <AnswerForm
          schema={asked.answerSchema}
          initial={isCall ? asked.context?.arguments : undefined}
          change={(value, problem) => {
            setAnswer(value);
            setIncomplete(problem);
          }}
        />
      )}
      <label className="field">
        <span>Reason <span className="dim">(optional, for the record)</span></span>
        <input value={reason} maxLength={1000} onChange={(event) => setReason(event.target.value)} />
      </label>
      {sent.error && <p className="verdict bad" role="alert">{tame(sent.error.message)}</p>}
      {sent.data && <p className="verdict" role="status">{tame(sent.data.message)}</p>}
      <div className="buttons">
        <button type="button" className="primary" disabled={!!why || sent.isPending || !!incomplete} title={incomplete} onClick={() => sent.mutate("Approved")}>
          Approve
        </button>
        <button type="button" className="danger" disabled={!!why || sent.isPending} onClick={() => sent.mutate("Denied")}>
          Deny
        </button>
        {incomplete && <span className="dim" id="incomplete">{incomplete}</span>}
      </div>
      <details>
        <summary>As a command</summary>
        <Command text={`waypost approve ${named}${given}${reason && ` --reason ${quoted(reason)}`}`} />
        <Command text={`waypost deny ${named}${reason && ` --reason ${quoted(reason)}`}`} />
      </details>
    </section>
  );
}
