import { join } from "node:path";
import { debianProgram } from "../../bin/stack/debian.ts";

const stackDir = join(import.meta.dirname, "..", "..", ".stack");

/** The program of a Debian package; where it cannot be had the test is skipped, saying so. */
export async function programOr(
  test: { skip(): never },
  packageName: string,
  program: string = packageName,
): Promise<string> {
  try {
    return await debianProgram(stackDir, packageName, program);
  } catch (error) {
    console.log(`# skipped, no ${program}: ${(error as Error).message}`);
    return test.skip();
  }
}
