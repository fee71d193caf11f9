import Mocha from "mocha";

let failures = 0;
let passes = 0;
let pending = 0;
const late: string[] = [];

/** A failure found after the last test. */
export function noteFailure(text: string): void {
  late.push(text);
}

/** Mocha's spec reporter, and as the very last line of the process `N passed, N failed, N skipped`. */
export default class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.on("pass", () => passes++);
    runner.on("fail", () => failures++);
    runner.on("pending", () => pending++);
    process.once("exit", () => {
      for (const text of late) console.log(`  failed: ${text}`);
      console.log(`${passes} passed, ${failures + late.length} failed, ${pending} skipped`);
      if (passes === 0) process.exitCode ||= 1;
    });
  }
}
