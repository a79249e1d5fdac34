// The run as YAML: what a person declared, and the status that the operator wrote.
import { useQuery } from "@tanstack/react-query";
import { api, type RunPage } from "../api";
import { Text } from "./Json";
import { Command, CopyButton, quoted } from "./small";
import { Loading, Problem } from "./states";

export function Manifest({ page }: { page: RunPage }) {
  const { run } = page;
  const found = useQuery({
    queryKey: ["run", run.namespace, run.name, "manifest"],
    queryFn: () => api.manifest(run.namespace, run.name),
  });
  if (found.isPending) return <Loading what="the manifest" />;
  if (!found.data) return <Problem error={found.error as Error} retry={() => found.refetch()} />;
  return (
    <>
      <Part title="Manifest" text={found.data.manifest} />
      <Part title="Status" text={found.data.status} />
      <Command text={`kubectl get agentworkflow ${quoted(run.name)} -n ${quoted(run.namespace)} -o yaml`} />
    </>
  );
}

function Part({ title, text }: { title: string; text: string }) {
  return (
    <section className="yaml" aria-label={`${title} as YAML`}>
      <div className="head">
        <h2>{title}</h2>
        <CopyButton text={text} label={`Copy the ${title.toLowerCase()}`} />
      </div>
      <Text text={text} label={title} />
    </section>
  );
}
