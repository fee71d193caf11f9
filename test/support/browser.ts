import type { Browser, BrowserContext, Page } from "playwright-core";
import { findChromium } from "../../bin/stack/chromium.ts";
import { trackLeak } from "./leaks.ts";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];

export interface TestBrowser extends AsyncDisposable {
  /** A browser of a person of its own: no cookie of another's. What the page complains of is gathered. */
  person(options?: Parameters<Browser["newContext"]>[0]): Promise<Person>;
}
export interface Person {
  context: BrowserContext;
  page: Page;
  /** Errors of scripts, and breaches of the page's policy. */
  complaints: string[];
}

/** A headless Chromium; null, with a word, where there is none. */
export async function startBrowser(): Promise<TestBrowser | null> {
  const executablePath = await findChromium((line) => console.log(`# ${line}`));
  if (executablePath === undefined) {
    console.log("# no Chromium here: what needs a browser is skipped");
    return null;
  }
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath, args: flags });
  const untrack = trackLeak("a browser");
  return {
    async person(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error" && !/status of \d+|net::ERR/.test(message.text()))
          complaints.push(message.text());
      });
      return { context, page, complaints };
    },
    async [Symbol.asyncDispose]() {
      await browser.close().finally(untrack);
    },
  };
}

/** Signs a person in at a gateway by the form; waits until the page is there. */
export async function signIn({ page }: Person, url: string, secret: string, place = ""): Promise<void> {
  await page.goto(`${url}/console${place && `#/${place}`}`);
  await page.getByLabel("API key").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation").waitFor({ state: "attached" });
}
