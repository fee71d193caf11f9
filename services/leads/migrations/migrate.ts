import type { Knex } from "knex";
import * as record from "./001-record.ts";
import * as source from "./002-source.ts";
import * as blocking from "./010-blocking.ts";
import * as budget from "./020-budget.ts";
import * as mail from "./030-mail.ts";
import * as listings from "./040-listings.ts";
import * as narrowKeys from "./050-narrow-keys.ts";
import * as reviews from "./051-reviews.ts";
import * as erasure from "./060-erasure.ts";
import * as operate from "./070-operate.ts";
import * as analytics from "./080-analytics.ts";
import * as mergedLetters from "./090-merged-letters.ts";
import * as erasedListings from "./091-erased-listings.ts";
import * as oldLetters from "./092-old-letters.ts";
import * as imports from "./103-imports.ts";
import * as opens from "./104-opens.ts";
import * as keysFirst from "./110-keys-first.ts";
import * as mailSince from "./111-mail-since.ts";
import * as fullPages from "./112-full-pages.ts";
import * as noStatistics from "./113-no-statistics.ts";

const migrations: Record<string, Pick<typeof record, "up" | "down">> = {
  "001-record": record,
  "002-source": source,
  "010-blocking": blocking,
  "020-budget": budget,
  "030-mail": mail,
  "040-listings": listings,
  "050-narrow-keys": narrowKeys,
  "051-reviews": reviews,
  "060-erasure": erasure,
  "070-operate": operate,
  "080-analytics": analytics,
  "090-merged-letters": mergedLetters,
  "091-erased-listings": erasedListings,
  "092-old-letters": oldLetters,
  "103-imports": imports,
  "104-opens": opens,
  "110-keys-first": keysFirst,
  "111-mail-since": mailSince,
  "112-full-pages": fullPages,
  "113-no-statistics": noStatistics,
};

/** Any number that no other lock of ours has: "migr". */
const lock = 0x6d696772;

/**
 * Makes Knex's own two tables, for one process at a time. Knex makes them before it holds a lock: of two that do so at once
 * one fails, or both leave a row in the second table; with two rows none ever gets the lock. Those are mended, too.
 */
async function makeTables(knex: Knex): Promise<void> {
  await knex.transaction(async (trx) => {
    await trx.raw("select pg_advisory_xact_lock(?)", [lock]);
    await trx.raw(`
      create table if not exists knex_migrations (
        id serial primary key,
        name varchar(255),
        batch integer,
        migration_time timestamptz
      );
      create table if not exists knex_migrations_lock (index serial primary key, is_locked integer);
      insert into knex_migrations_lock (is_locked) select 0 where not exists (select from knex_migrations_lock);
      delete from knex_migrations_lock where index > (select min(index) from knex_migrations_lock);
    `);
  });
}

/** Brings the record's tables up to date. Safe when many processes start at once: one migrates. Returns what ran. */
export async function migrate(knex: Knex): Promise<string[]> {
  await makeTables(knex);
  const [, ran] = (await knex.migrate.latest({
    migrationSource: {
      getMigrations: async () => Object.keys(migrations),
      getMigrationName: (name: string) => name,
      getMigration: async (name: string) => migrations[name]!,
    },
  })) as [number, string[]];
  return ran;
}

/** Migrations that this database has not had. Changes nothing, and needs no right to. */
export async function pendingMigrations(knex: Knex): Promise<string[]> {
  let done: Set<string>;
  try {
    done = new Set(await knex("knex_migrations").pluck<string[]>("name"));
  } catch (error) {
    const undefinedTable = "42P01";
    if ((error as { code?: string }).code !== undefinedTable) throw error;
    done = new Set();
  }
  return Object.keys(migrations).filter((name) => !done.has(name));
}
