// Light, dark, or as the system has it. The choice is kept in the browser.
export type Theme = "system" | "light" | "dark";
const KEY = "waypost-theme";

export function chosenTheme(): Theme {
  const found = localStorage.getItem(KEY);
  return found === "light" || found === "dark" ? found : "system";
}

export function applyTheme(theme: Theme = chosenTheme()): void {
  localStorage.setItem(KEY, theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
