/** `node bin/migrate.ts`: brings the database of LEADS_DATABASE_URL up to date. Safe when many run it at once. */
import { loadSettings } from "../config/settings.ts";
import { openDatabase } from "../mixins/knex.ts";
import { rekeyLeads } from "../services/dedupe/rekey.sql.ts";
import { migrate } from "../services/leads/migrations/migrate.ts";

/** A migration of a large table takes longer than any statement of the services may. */
const statementTimeoutMs = 3_600_000;

const knex = openDatabase({ ...loadSettings(), databasePool: 1, statementTimeoutMs });
try {
  const ran = await migrate(knex);
  console.log(ran.length === 0 ? "the database is up to date" : `ran ${ran.join(", ")}`);
  const rekeyed = await rekeyLeads(knex);
  if (rekeyed > 0) console.log(`gave ${rekeyed} leads the keys by which their doubles are found`);
} finally {
  await knex.destroy();
}
