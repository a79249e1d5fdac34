// What the bar of every page has: the sign, and the choices of light or dark, and of the time zone.
import { useState } from "react";
import { applyTheme, chosenTheme, type Theme } from "../theme";
import { chooseZone, useZone, type Zone } from "../zone";

export function ThemeChoice() {
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <label className="theme">
      <span className="hidden">Theme</span>
      <select
        value={theme}
        onChange={(event) => {
          const next = event.target.value as Theme;
          setTheme(next);
          applyTheme(next);
        }}
      >
        <option value="system">System theme</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

export function ZoneChoice() {
  const zone = useZone();
  return (
    <label className="theme">
      <span className="hidden">Times</span>
      <select value={zone} onChange={(event) => chooseZone(event.target.value as Zone)}>
        <option value="utc">UTC</option>
        <option value="local">Local time</option>
      </select>
    </label>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <rect width="32" height="32" rx="7" className="mark-back" />
      <path d="M14.5 6h3v20h-3z" fill="#fff" />
      <path d="M9 8h13l4 3.5-4 3.5H9z" fill="#9fd3ff" />
      <path d="M23 16H12l-4 3 4 3h11z" fill="#fff" />
    </svg>
  );
}
