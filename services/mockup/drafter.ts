import type { Lead, MockupDraft, MockupFacts } from "../leads/lead.ts";
import { llmSchema, readDraft } from "./llm-draft.ts";
import { promptOf, system } from "./prompt.ts";
import type { Trade } from "./trades.ts";

/** What the service `llm` is asked, and what it answers, as far as it is used here. */
export interface Question {
  /** Names the call for ever: asked again, it is answered from the ledger and paid once. */
  effect: string;
  system: string;
  prompt: string;
  schema: object;
}
export type Answer = { model: string; costMicro: number } & (
  | { ok: true; value: unknown }
  | { ok: false; reason: string }
);

/** Times that a model is asked for one draft: an answer that is no good is asked for once more. */
const maxAsked = 2;

/**
 * A draft by a language model; by the template where two answers were no good, with the reason. `base` is the template's.
 * Throws what `ask` throws. Handled again it asks the same, and gets the same.
 */
export async function draftByModel(
  lead: Lead,
  { base, trade, ask }: { base: MockupDraft; trade: Trade; ask(question: Question): Promise<Answer> },
): Promise<{ draft: MockupDraft; told: MockupFacts }> {
  let faults: string[] = [];
  let costMicro = 0;
  let model = "";
  for (let asked = 1; asked <= maxAsked; asked++) {
    const answer = await ask({
      effect: `mockup ${lead.leadId} ${lead.revision} ${asked}`,
      system,
      prompt: promptOf(lead, trade, faults),
      schema: llmSchema,
    });
    costMicro += answer.costMicro;
    model = answer.model;
    const read = answer.ok
      ? readDraft(answer.value, lead, base)
      : { ok: false as const, faults: [texts[answer.reason] ?? answer.reason] };
    if (read.ok) return { draft: read.draft, told: { by: "llm", model, costMicro } };
    faults = read.faults;
  }
  return { draft: base, told: { by: "template", reason: `bad_answer: ${faults[0]!}`.slice(0, 200), model, costMicro } };
}

/** Why an answer was none, for the model that is asked again. */
const texts: Readonly<Record<string, string>> = {
  truncated: "it was too long and was cut off",
  refused: "it was a refusal; nothing but a page for this business is asked for",
  filtered: "a content filter withheld it",
  not_json: "it was no JSON",
};
