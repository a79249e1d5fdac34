// Whether times are shown in UTC or in the zone of this machine. The choice is kept in the browser.
import { useSyncExternalStore } from "react";

export type Zone = "utc" | "local";
const KEY = "waypost-zone";

function kept(): Zone {
  try {
    return localStorage.getItem(KEY) === "local" ? "local" : "utc";
  } catch {
    return "utc"; // a file in a sandbox has no storage
  }
}

let zone = kept();
const listeners = new Set<() => void>();

export function chosenZone(): Zone {
  return zone;
}

export function chooseZone(next: Zone): void {
  zone = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // The choice lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

export function useZone(): Zone {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, chosenZone);
}
