// Who did something, and whether the API server has checked the name.
import { tame } from "../format";

/** `ann (verified)`: a name that the API server has not checked is only declared. */
export function answeredBy(name: string, verified?: boolean): string {
  const how = verified === undefined ? "" : verified ? " (verified)" : " (declared, not verified)";
  return `${tame(name)}${how}`;
}

/** `bob; last round by rob`. */
export function startedBy(run: { requestedBy?: string; roundRequestedBy?: string; origin?: string }): string {
  const parts = [
    run.requestedBy && tame(run.requestedBy),
    run.origin && `from ${tame(run.origin)}`,
    run.roundRequestedBy && `last round by ${tame(run.roundRequestedBy)}`,
  ].filter(Boolean);
  return parts.join("; ") || "–";
}
