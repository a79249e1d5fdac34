// What is shown instead of content: nothing there, loading, an error.
import { Component, type ReactNode } from "react";
import { tame } from "../format";

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <section className="empty">
      <h1>{title}</h1>
      {children}
    </section>
  );
}

export function Problem({ error, retry }: { error: Error; retry?: () => void }) {
  return (
    <section className="problem" role="alert">
      <h2>This could not be read</h2>
      <p>{tame(error.message)}</p>
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </section>
  );
}

export function Loading({ what }: { what: string }) {
  return <p className="loading" role="status">Reading {what}…</p>;
}

/** Shows an error of the page itself, instead of an empty window. */
export class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return <Problem error={this.state.error} retry={() => location.reload()} />;
  }
}
