/** A section of the runbook: what an alert, or a stage's state, means, and what is to be done. */
export interface RunbookSection {
  name: string;
  /** In Markdown, as the page stands: code and links. */
  means: string;
  look: string;
  do: string;
  commands: { kind: string; text: string }[];
}

/** The sections of docs/operate.md that say what something means and what to do about it, in order. */
export function runbookOf(markdown: string): RunbookSection[] {
  return markdown.split(/^### /m).flatMap((text) => {
    const [name = ""] = text.split("\n", 1);
    const told = (what: string) => new RegExp(`^- \\*\\*${what}\\*\\* (.+)$`, "m").exec(text)?.[1];
    const [means, look, todo] = [told("Means"), told("Look"), told("Do")];
    if (means === undefined || look === undefined || todo === undefined) return [];
    const commands = [...text.matchAll(/^```([a-z ]+)\n([\s\S]*?)\n```/gm)].map(([, kind = "", lines = ""]) => ({
      kind: kind.split(" ")[0]!,
      text: lines,
    }));
    return [{ name, means, look, do: todo, commands }];
  });
}
