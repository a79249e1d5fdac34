// The way back from a page about a run.
import { tame } from "../format";
import { Link } from "../router";

export function RunCrumbs({ namespace, name, node }: { namespace: string; name: string; node?: string }) {
  return (
    <p className="crumbs">
      <Link to={["runs"]}>Runs</Link> / {tame(namespace)} / <Link to={["runs", namespace, name]}>{tame(name)}</Link>
      {node && <> / <Link to={["runs", namespace, name]} query={{ node }}>{tame(node)}</Link></>}
    </p>
  );
}
