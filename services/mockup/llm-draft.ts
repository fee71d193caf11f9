import { Ajv } from "ajv";
import type { Lead, MockupDraft } from "../leads/lead.ts";
import { faultsOf } from "./claims.ts";
import { knownOf } from "./known.ts";
import { clean } from "./text.ts";
import { plainWords } from "./words.ts";

/** What a language model is asked for: words and their order. Colours, pictures and facts are ours. */
export interface LlmDraft {
  headline: string;
  tagline: string;
  callToAction: string;
  sections: {
    look: "cards" | "steps" | "about";
    title: string;
    body: string;
    items: { title: string; text: string }[];
  }[];
}

const text = (minLength: number, maxLength: number, description: string) => ({
  type: "string",
  description,
  minLength,
  maxLength,
});
const closed = (properties: Record<string, object>) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

/** The JSON schema of the answer. The limits are those of the page: what is longer would be cut in it. */
export const llmSchema = closed({
  headline: text(8, 80, "The page's main heading: short, concrete, no name of the business in it"),
  tagline: text(20, 220, "One or two sentences below it"),
  callToAction: text(4, 40, "What the main button says, such as: Plan a visit"),
  sections: {
    type: "array",
    minItems: 2,
    maxItems: 4,
    description: "In the order of the page; exactly one of them has the look about",
    items: closed({
      look: {
        type: "string",
        enum: ["cards", "steps", "about"],
        description: "cards: topics side by side; steps: what happens one after another; about: text alone",
      },
      title: text(4, 70, "Its heading"),
      body: text(20, 420, "One to three sentences"),
      items: {
        type: "array",
        minItems: 0,
        maxItems: 6,
        description: "Two to six for cards and steps; none for about",
        items: closed({ title: text(2, 50, "A few words"), text: text(8, 200, "One sentence") }),
      },
    }),
  },
});

const isDraft = new Ajv({ allErrors: true }).compile<LlmDraft>(llmSchema);
/** Faults told back to a model: what it is to mend, not a report. */
const maxFaults = 12;

/**
 * The answer as a draft, or what is wrong with it. `base` is the template's own draft: what the model does not write
 * (colours, picture, the facts, what the present site lacks) is taken from it.
 */
export function readDraft(
  answer: unknown,
  lead: Lead,
  base: MockupDraft,
): { ok: true; draft: MockupDraft } | { ok: false; faults: string[] } {
  if (!isDraft(answer)) {
    const faults = (isDraft.errors ?? []).map(
      ({ instancePath, message }) => `${instancePath || "the answer"} ${message}`,
    );
    return { ok: false, faults: faults.slice(0, maxFaults) };
  }
  const faults = [...shapeFaults(answer), ...textFaults(answer, lead)].slice(0, maxFaults);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, draft: draftOf(answer, base) };
}

function shapeFaults({ sections }: LlmDraft): string[] {
  const abouts = sections.filter(({ look }) => look === "about").length;
  return [
    ...(abouts === 1 ? [] : [`sections: ${abouts} of them have the look about, one is wanted`]),
    ...sections.flatMap(({ look, items }, i) =>
      look === "about"
        ? items.length > 0
          ? [`sections/${i}: about has no items`]
          : []
        : items.length < 2
          ? [`sections/${i}: ${look} has two items or more`]
          : [],
    ),
  ];
}

function textFaults(answer: LlmDraft, lead: Lead): string[] {
  const known = knownOf(lead);
  return textsOf(answer).flatMap(([path, value]) => {
    const empty = /\p{L}/u.test(plainWords(value)) ? [] : [`${path}: it has no words`];
    return [...empty, ...faultsOf(value, known).map((fault) => `${path}: ${fault}`)];
  });
}

function textsOf({ headline, tagline, callToAction, sections }: LlmDraft): [path: string, text: string][] {
  return [
    ["headline", headline],
    ["tagline", tagline],
    ["callToAction", callToAction],
    ...sections.flatMap(({ title, body, items }, i): [string, string][] => [
      [`sections/${i}/title`, title],
      [`sections/${i}/body`, body],
      ...items.flatMap((item, n): [string, string][] => [
        [`sections/${i}/items/${n}/title`, item.title],
        [`sections/${i}/items/${n}/text`, item.text],
      ]),
    ]),
  ];
}

/** The facts (since when, how well rated) stand where the template shows them: in the section about the business. */
function draftOf({ headline, tagline, callToAction, sections }: LlmDraft, base: MockupDraft): MockupDraft {
  const facts = base.sections.at(-1)?.items;
  return {
    ...base,
    headline: shown(headline, 80),
    tagline: shown(tagline, 220),
    callToAction: shown(callToAction, 40),
    sections: sections.map(({ look, title, body, items }) => ({
      look,
      title: shown(title, 70),
      body: shown(body, 420),
      ...(look === "about"
        ? facts && { items: facts }
        : { items: items.map((item) => `${shown(item.title, 50).replace(/:/g, "")}: ${shown(item.text, 200)}`) }),
    })),
  };
}

/** As it goes onto the page: no character in it that nobody sees. */
const shown = (value: string, limit: number) => clean(value.replace(/\p{Cf}+/gu, ""), limit);
