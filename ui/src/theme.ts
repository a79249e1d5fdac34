// Light, dark, or as the system has it. The choice is kept in the browser.
export type Theme = "system" | "light" | "dark";
const KEY = "waypost-theme";

export function chosenTheme(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : "system";
  } catch {
    return "system"; // a file in a sandbox has no storage
  }
}

export function applyTheme(theme: Theme = chosenTheme()): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // The choice lasts as long as the page.
  }
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
