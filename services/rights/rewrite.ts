import type { EnvelopeItem } from "../../mixins/actor/envelope.ts";
import type { Lead } from "../leads/lead.ts";
import { leadsNamedIn } from "../leads/row.ts";

/**
 * What is to be done with a message that names an erased lead. Pure: from bytes to a decision.
 * - `keep`: none of its leads is one of them.
 * - `drop`: nothing else is in it.
 * - `rest`: these leads of it go on, by another message.
 * - `strip`: a dead letter that could not be read; this is left of it.
 */
export type Decision =
  | { kind: "keep" }
  | { kind: "drop"; tellings: Lead[] }
  | { kind: "rest"; tellings: Lead[]; items: EnvelopeItem<Lead>[] }
  | { kind: "strip"; letter: object };

const keep: Decision = { kind: "keep" };
const decoder = new TextDecoder();

/** Does the message hold one of these ids at all? A look at bytes, so that a deep backlog costs no parsing. */
export function names(data: Uint8Array, leadIds: readonly string[]): boolean {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return leadIds.some((id) => bytes.includes(id));
}

/** Leads of one tenant that are erased. */
export interface Erased {
  tenant: string;
  leadIds: readonly string[];
}

/**
 * `told`: whose the message is by its headers. What names an erased id and is no envelope of ours goes whole, as no lead is
 * in it, but not where it is another tenant's: an id is no secret, and who erases one may have read it elsewhere.
 */
export function ofEnvelope(data: Uint8Array, erased: Erased, told?: string): Decision {
  const items = (parse(data) as { items?: unknown } | undefined)?.items;
  if (!Array.isArray(items))
    return isAnothers(erased, told, decoder.decode(data)) ? keep : { kind: "drop", tellings: [] };
  const known = items as Partial<EnvelopeItem<Lead>>[];
  const theirs = known.filter((item) => item?.lead && isOf(erased, item.lead));
  if (theirs.length === 0) return keep;
  const tellings = theirs.map((item) => item.lead!);
  const rest = known.filter((item) => !theirs.includes(item)) as EnvelopeItem<Lead>[];
  return rest.length === 0 ? { kind: "drop", tellings } : { kind: "rest", tellings, items: rest };
}

/**
 * A dead letter holds one lead, or the beginning of a message that could not be read: that beginning goes, but for the ids
 * of the others that it names, whose only trace it may be. `told`: by its subject.
 */
export function ofDeadLetter(data: Uint8Array, erased: Erased, told?: string): Decision {
  const letter = parse(data) as { lead?: Lead | null; raw?: unknown } | undefined;
  if (letter === undefined)
    return isAnothers(erased, told, decoder.decode(data)) ? keep : { kind: "drop", tellings: [] };
  if (letter.lead) return isOf(erased, letter.lead) ? { kind: "drop", tellings: [letter.lead] } : keep;
  if (letter.raw === undefined || isAnothers(erased, told, String(letter.raw))) return keep;
  const others = leadsNamedIn(String(letter.raw)).filter((id) => !erased.leadIds.includes(id));
  const raw = ["(erased)", ...others.map((id) => `"leadId":"${id}"`)].join(" ");
  return { kind: "strip", letter: { ...letter, raw } };
}

const isOf = ({ tenant, leadIds }: Erased, lead: Lead): boolean =>
  lead.tenant === tenant && leadIds.includes(lead.leadId);

const tenants = /"tenant"\s*:\s*"([^"]*)"/g;

/** Is a text that cannot be read surely another tenant's? By whoever is told, else by whom it names; nobody's is not. */
function isAnothers({ tenant }: Erased, told: string | undefined, text: string): boolean {
  const named = told === undefined ? Array.from(text.matchAll(tenants), ([, name]) => name) : [told];
  return named.length > 0 && !named.includes(tenant);
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(data)) ?? undefined;
  } catch {
    return undefined;
  }
}
