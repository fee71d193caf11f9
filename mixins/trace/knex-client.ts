import type { Knex } from "knex";
// @ts-expect-error Knex publishes no types of its dialects.
import PostgresDialect from "knex/lib/dialects/postgres/index.js";
import { traced } from "./scope.ts";
import { statementName } from "./statement.ts";

/** A connection of `pg`, with the mark by which Knex's pool knows one that it must not give out again. */
interface Connection {
  __knex__disposed?: unknown;
}
type Dialect = new (
  config: Knex.Config,
) => { _query(connection: Connection, query: { sql: string }): Promise<unknown> };

/** SQLSTATEs with which PostgreSQL ends the connection that it says them on: it is stopped, or the session has idled too long. */
const endsConnection = /^(57P0[1-5]|25P0[34])$/;

/**
 * Knex's client for PostgreSQL, whose statements are spans. Not by Knex's events: of `begin` and `commit`, where the time
 * of a transaction often goes, it tells the beginning alone.
 */
export class TracedClient extends (PostgresDialect as Dialect) {
  override async _query(connection: Connection, query: { sql: string }): Promise<unknown> {
    try {
      return await traced({ name: statementName(query.sql), kind: "CLIENT", remote: "postgresql" }, () =>
        super._query(connection, query),
      );
    } catch (error) {
      // Knex marks it when the socket is closed, a little later: whoever came in between would get it, and fail as well.
      if (endsConnection.test((error as { code?: string }).code ?? "")) connection.__knex__disposed = error;
      throw error;
    }
  }
}
