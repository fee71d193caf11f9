import { labelledLeads } from "../../bin/demo/leads.ts";

/** A lead as a caller tells it. */
export type ToldLead = Record<string, unknown>;

/**
 * Leads as POST /v1/leads takes them, nobody's doubles, each with a web site of its own host: one in two dated, one in
 * two modern. `source` tells those of one run from those of another.
 */
export function* toldLeads(source: string, count = Number.POSITIVE_INFINITY): Generator<ToldLead> {
  let n = 0;
  for (const { lead, label } of labelledLeads({ count: Number.POSITIVE_INFINITY, seed: source })) {
    if (n >= count) return;
    if (label !== "fresh") continue;
    const host = `${n % 2 === 0 ? "modern" : "dated"}-${source}-${n}.example`;
    const { name, address, email, ...rest } = lead;
    yield {
      ...rest,
      name: `${name} ${source} ${n}`,
      ...(email === undefined ? {} : { email: `info@${host}` }),
      address:
        typeof address === "object"
          ? { ...address, street: `${n} ${source} Street` }
          : String(address).replace(/^[^,]*/, `${n} ${source} Street`),
      website: `http://${host}/`,
      source,
      sourceId: String(n),
    };
    n++;
  }
}
