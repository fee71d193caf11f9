import type { Knex } from "knex";
// @ts-expect-error Knex publishes no types of its dialects.
import PostgresDialect from "knex/lib/dialects/postgres/index.js";
import { traced } from "./scope.ts";
import { statementName } from "./statement.ts";

type Dialect = new (config: Knex.Config) => { _query(connection: unknown, query: { sql: string }): Promise<unknown> };

/**
 * Knex's client for PostgreSQL, whose statements are spans. Not by Knex's events: of `begin` and `commit`, where the time
 * of a transaction often goes, it tells the beginning alone.
 */
export class TracedClient extends (PostgresDialect as Dialect) {
  override _query(connection: unknown, query: { sql: string }): Promise<unknown> {
    return traced({ name: statementName(query.sql), kind: "CLIENT", remote: "postgresql" }, () =>
      super._query(connection, query),
    );
  }
}
