import { findOrInstall, type Log, onPath } from "./tools.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/** The path of a Chromium, or undefined where there is none. No browser is ever fetched but from the system's packages. */
export const chromiumPath = (): string | undefined => names.map(onPath).find((path) => path !== undefined);

/** The same; as root on Debian it is installed where it is missing. */
export const findChromium = (log: Log): Promise<string | undefined> => findOrInstall(chromiumPath, "chromium", log);
