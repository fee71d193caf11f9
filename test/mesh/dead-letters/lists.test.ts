import assert from "node:assert/strict";
import type { Knex } from "knex";
import { ensureStreams } from "../../../mixins/jetstream.ts";
import { operators, startGateway, type TestGateway } from "../../support/gateway.ts";

const many = 50_000;
const tenants = 100;
const dayMs = 24 * 3_600_000;

describe(`a list of ${many} dead letters`, function () {
  this.timeout(120_000);
  let gateway: TestGateway;
  let knex: Knex;
  let secret: string;
  const end = Date.now();

  before(async () => {
    gateway = await startGateway({ services: operators, env: { LEADS_RATE_LIMIT: "100000" } });
    const { nats, names, settings, resources } = gateway;
    await ensureStreams(nats, names, settings, resources.flow, resources.side);
    secret = (await gateway.key("acme", "read", "operate", "platform")).secret;
    knex = resources.databases.of("acme");
    // Two thirds of them one tenant's, of a day; one error is rare.
    await knex.transaction(async (trx) => {
      await trx.raw("set local statement_timeout = 0");
      await trx.raw(
        `insert into dead_letters (tenant, seq, died_at, kind, stage, lane, error_type, lead_id, attempts)
         select case when n % 3 < 2 then 'acme' else 't' || n % :tenants end, n,
           to_timestamp(:end / 1000.0) - (:many - n) * interval '1 day' / :many, 'lead',
           (array['enrich', 'dedupe', 'score', 'mockup', 'email'])[1 + n / :tenants % 5], 'bulk',
           case when n / :tenants % 50 = 0 then 'Rare'
             else (array['TypeError', 'ENVELOPE', '23505', 'OUTCOMES'])[1 + n / :tenants % 4] end,
           gen_random_uuid(), 6
         from generate_series(1, cast(:many as int)) n`,
        { many, tenants, end },
      );
      await trx.raw(
        `insert into dead_letter_counts (tenant, stage, error_type, open)
         select tenant, stage, error_type, count(*) from dead_letters group by 1, 2, 3`,
      );
    });
    for (const table of ["dead_letters", "dead_letter_counts"]) await knex.raw(`vacuum analyze ${table}`);
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  const hours = { since: end - 0.6 * dayMs, until: end - 0.5 * dayMs };
  const params = (values: object) => new URLSearchParams(values as Record<string, string>).toString();
  const filters = [
    ["its newest", {}],
    ["by stage", { stage: "score" }],
    ["by error", { error: "ENVELOPE" }],
    ["by a rare error", { error: "Rare" }],
    ["by stage and error", { stage: "score", error: "ENVELOPE" }],
    ["by time", hours],
    ["by all of it", { ...hours, stage: "score", error: "ENVELOPE" }],
  ] as const;
  const paths = ["acme", "t7", "*"].flatMap((tenant) => [
    ...filters.map(([name, filter]) => [
      `${name}, of ${tenant}`,
      `/v1/dead-letters?${params({ ...filter, tenant, limit: 200 })}`,
    ]),
    [`counted, of ${tenant}`, `/v1/dead-letters/counts?${params({ tenant })}`],
  ]) as [string, string][];

  /** Asks for it, and looks how the database answers what it is asked then. */
  const byIndexes = async (path: string, body?: object): Promise<any> => {
    const asked: { sql: string; bindings: readonly unknown[] }[] = [];
    const hear = (query: { sql: string; bindings: readonly unknown[] }) => {
      if (query.sql.includes("dead_letter")) asked.push(query);
    };
    const json = { headers: { "content-type": "application/json" }, method: "POST", body: JSON.stringify(body) };
    knex.on("query", hear);
    const answer = await gateway.call(secret, path, body && json);
    knex.removeListener("query", hear);
    assert.equal(answer.status, 200, path);
    assert.ok(asked.length > 0);
    for (const { sql, bindings } of asked) {
      const { rows } = await knex.raw(`explain ${sql.replace(/\$\d+/g, "?")}`, bindings as string[]);
      const plan = rows.map((row: any) => row["QUERY PLAN"]).join("\n");
      // The counts are a few rows; the letters are as many as there are.
      assert.doesNotMatch(plan, /Seq Scan on dead_letters/, `${sql}\n${plan}`);
    }
    return answer.json();
  };

  for (const [name, path] of paths)
    it(`is served by indexes: ${name}`, async () => assert.ok((await byIndexes(path)).items.length > 0));

  for (const [name, filter] of filters)
    it(`is looked into by a dry run for all tenants, however rare what is meant is: ${name}`, async () => {
      const body = { tenant: "*", filter, dryRun: true };
      const { matched, looked } = await byIndexes("/v1/dead-letters/redrive", body);
      assert.ok(matched > 100);
      assert.equal(looked, 100);
    });
});
