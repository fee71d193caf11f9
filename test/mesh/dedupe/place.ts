import { createHash, randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { openDatabase } from "../../../mixins/knex.ts";
import { type Settlement, settleBatch } from "../../../services/dedupe/settle.sql.ts";
import type { Lead, LeadFields } from "../../../services/leads/lead.ts";
import { aLead } from "../../support/leads.ts";
import { trackLeak } from "../../support/leaks.ts";
import { testPlace } from "../../support/servers.ts";

export interface Place extends AsyncDisposable {
  knex: Knex;
  databaseUrl: string;
  /** What the actor does with a batch, without the messages. */
  settle(leads: Lead[]): Promise<Map<string, Settlement>>;
  /** Another process's connections to the same database. */
  another(): Knex;
}

export async function dedupePlace(databasePool = 6): Promise<Place> {
  const place = await testPlace();
  const pools: Knex[] = [];
  const { databaseUrl } = place.settings;
  const another = () => {
    const knex = openDatabase({ databaseUrl, databasePool, statementTimeoutMs: 30_000 });
    pools.push(knex);
    return knex;
  };
  const knex = another();
  const untrack = trackLeak("pools of a dedupe place");
  return {
    knex,
    databaseUrl,
    settle: (leads) => settleIn(knex, leads),
    another,
    async [Symbol.asyncDispose]() {
      untrack();
      await Promise.all(pools.map((pool) => pool.destroy()));
      await place[Symbol.asyncDispose]();
    },
  };
}

export const settleIn = (knex: Knex, leads: Lead[]): Promise<Map<string, Settlement>> =>
  settleBatch(knex, "dedupe", leads);

/** A lead with these fields; ids from a seed where a test is to be replayed. */
export function business(fields: Partial<LeadFields>, given: Partial<Lead> = {}): Lead {
  const leadId = given.leadId ?? randomUUID();
  return aLead({ ...given, leadId, fields: { name: `Business ${leadId}`, ...fields } });
}

/** A UUID that a seed determines. */
export function seededId(...parts: (string | number)[]): string {
  const hex = createHash("sha256").update(parts.join("/")).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** A generator of numbers in [0, 1) that a seed determines (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

export interface Row {
  lead_id: string;
  state: string;
  reason: string | null;
  merged_into: string | null;
  fields: LeadFields;
  provenance: Record<string, { trust: number; source: string; leadId: string }>;
  [column: string]: unknown;
}

/** A lead's row, without when it was touched. */
export async function rowOf(knex: Knex, leadId: string): Promise<Row> {
  const { updated_at: _, ...row } = await knex("leads").where({ lead_id: leadId }).first();
  return row as Row;
}

/** All that a repeat must not change. */
export async function contents(knex: Knex): Promise<unknown> {
  const leads = await knex("leads").orderBy("lead_id").select("*");
  const keys = await knex("lead_keys").orderBy(["key", "lead_id"]).select("*");
  const merges = await knex("merges").orderBy("merge_id").select("*");
  return JSON.parse(JSON.stringify({ leads, keys, merges }));
}
