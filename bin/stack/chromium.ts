import { aptInstall, type Log, onPath } from "./tools.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/** The path of a Chromium, or undefined where there is none. No browser is ever fetched but from the system's packages. */
export const chromiumPath = (): string | undefined => names.map(onPath).find((path) => path !== undefined);

/** The same; as root on Debian it is installed where it is missing. */
export async function findChromium(log: Log): Promise<string | undefined> {
  const found = chromiumPath();
  if (found) return found;
  try {
    await aptInstall(["chromium"], log);
  } catch (error) {
    log(`Chromium could not be installed: ${(error as Error).message}`);
  }
  return chromiumPath();
}
