import type { Knex } from "knex";
import { shardOf, statement } from "../../mixins/knex.ts";

/** The tier that a tenant has chosen for its leads (`tenants.settings`), as it stands there. Reads one row by primary key. */
export async function chosenTier(knex: Knex, tenant: string): Promise<unknown> {
  const { rows } = await statement(() =>
    knex.raw<{ rows: { tier: unknown }[] }>("select settings -> 'tier' as tier from tenants where tenant = ?", [
      tenant,
    ]),
  );
  return rows[0]?.tier ?? undefined;
}

/** Writes the tier that a tenant chooses; what else it has chosen stays. Locks its row; a repeat writes the same. */
export async function writeTier(knex: Knex, tenant: string, tier: number): Promise<void> {
  await statement(() =>
    knex.raw(
      `insert into tenants as t (tenant, shard, settings) values (?, ?, jsonb_build_object('tier', cast(? as int)))
       on conflict (tenant) do update set settings = t.settings || excluded.settings`,
      [tenant, shardOf(tenant), tier],
    ),
  );
}
