import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

const root = join(import.meta.dirname, "..", "..");
const prompt = "mol $ ";
/** What moves a terminal's cursor and colours its text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with one.
const escapes = /\x1b\[[\d;?]*[A-Za-z]/g;

/** The operators' console in a real terminal (util-linux's script), for the mesh whose state stands in `dir`. */
export class Console {
  readonly #child: ChildProcess;
  #said = "";

  constructor(dir: string) {
    const { PATH } = process.env;
    const command = `stty cols 200; '${process.execPath}' bin/repl.ts --dir '${dir}'`;
    // Its history goes to the home.
    this.#child = spawn("script", ["-qfc", command, "/dev/null"], {
      cwd: root,
      env: { PATH, HOME: dir, TERM: "xterm" },
    });
    this.#child
      .stdout!.setEncoding("utf8")
      .on("data", (text: string) => (this.#said += text.replace(escapes, "").replace(/\r/g, "")));
  }

  ready(): Promise<unknown> {
    return eventually("the console is there", () => this.#said.includes(prompt), { withinMs: 30_000 });
  }

  /** Types a line; answers what comes until the next prompt. */
  async type(line: string): Promise<string> {
    this.#said = "";
    this.#child.stdin!.write(`${line}\r`);
    await eventually(`${line}: the next prompt`, () => this.#said.includes(`\n${prompt}`));
    const text = this.#said;
    return text.slice(text.indexOf("\n") + 1, text.lastIndexOf(`\n${prompt}`));
  }

  /** Types a line with --json. */
  async json(line: string): Promise<any> {
    const text = await this.type(`${line} --json`);
    return JSON.parse(text.split("\n").find((l) => /^[[{]/.test(l)) ?? `"${text}"`);
  }

  /** Types the beginning of a line and the tabulator, waits for what that makes of it, and takes the line away. */
  async complete(line: string, expected: string): Promise<void> {
    this.#said = "";
    this.#child.stdin!.write(`${line}\t`);
    await eventually(`${line} is completed to ${expected}`, () => this.#said.includes(expected));
    // Ctrl-U takes the line away.
    this.#child.stdin!.write("\x15");
  }

  async end(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin!.write("\x04");
    await exited;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
