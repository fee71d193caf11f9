/** Light, dark, or as the system says: remembered by this browser. */

const key = "leads-theme";
/** @type {("auto" | "light" | "dark")[]} */
export const themes = ["auto", "light", "dark"];

/** @returns {"auto" | "light" | "dark"} */
export function currentTheme() {
  const kept = localStorage.getItem(key);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

/** @param {"auto" | "light" | "dark"} theme */
export function setTheme(theme) {
  if (theme === "auto") localStorage.removeItem(key);
  else localStorage.setItem(key, theme);
  applyTheme();
}

export function applyTheme() {
  const theme = currentTheme();
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset["theme"] = theme === "auto" ? system : theme;
  dispatchEvent(new Event("theme"));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
