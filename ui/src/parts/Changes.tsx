// The differences of two values, path by path.
import type { Change } from "../documents";
import { tame } from "../format";

interface ChangesProps {
  title: string;
  listed: Change[];
  /** Why nothing could be compared. */
  note?: string;
  heading?: "h2" | "h4";
}

export function Changes({ title, listed, note, heading: Heading = "h2" }: ChangesProps) {
  return (
    <section className="part">
      <Heading>{title}</Heading>
      {note || listed.length === 0 ? (
        <p className="dim">{note ? `Not compared: ${tame(note)}` : "No difference"}</p>
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label={title}>
          <table className="rows">
            <thead>
              <tr><th scope="col">Where</th><th scope="col">Before</th><th scope="col">After</th></tr>
            </thead>
            <tbody>
              {listed.map((one) => (
                <tr key={one.path}>
                  <th scope="row"><code>{tame(one.path)}</code></th>
                  <td className="wide"><Value value={one.before} sign="−" /></td>
                  <td className="wide"><Value value={one.after} sign="+" /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Value({ value, sign }: { value?: string; sign: string }) {
  if (value === undefined) return <span className="dim">not there</span>;
  return <code className={sign === "+" ? "added" : "removed"}><span aria-hidden="true">{sign} </span>{tame(value)}</code>;
}
