import { relative } from "node:path";
import Mocha from "mocha";

let passes = 0;
let pending = 0;
const failed: string[] = [];

/** A failure found after the last test. */
export function noteFailure(text: string): void {
  failed.push(text);
}

/**
 * Mocha's spec reporter, and at the end of the process a line `failed: FILE: TITLE: MESSAGE` for each test that failed, and
 * as the very last one `N passed, N failed, N skipped`.
 */
export default class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.on("pass", () => passes++);
    runner.on("fail", (test, error) => {
      const [message] = String(error?.message ?? error).split("\n");
      failed.push(`${relative(process.cwd(), test.file ?? "")}: ${test.fullTitle()}: ${message}`);
    });
    runner.on("pending", () => pending++);
    process.once("exit", () => {
      for (const text of failed) console.log(`  failed: ${text}`);
      console.log(`${passes} passed, ${failed.length} failed, ${pending} skipped`);
      if (passes === 0) process.exitCode ||= 1;
    });
  }
}
