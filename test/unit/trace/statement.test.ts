import assert from "node:assert/strict";
import { statementName } from "../../../mixins/trace/statement.ts";

describe("a statement's name", () => {
  for (const [sql, name] of [
    ["BEGIN;", "begin"],
    ["COMMIT;", "commit"],
    ["select 1", "select"],
    [
      "insert into leads (a) select a from jsonb_to_recordset($1::jsonb) on conflict do update set a = 1",
      "insert leads",
    ],
    ['select "lead_id" from "leads" where "tenant" = $1', "select leads"],
    ["update outbox set state = 'sent' where lead_id = $1", "update outbox"],
    ["update outbox o set state = 'sent' from unnest($1) as u(id)", "update outbox"],
    ["delete from mail_events where received_at < now()", "delete mail_events"],
    [
      "with due as (select lead_id from outbox for update skip locked) update outbox o set state = 'x'",
      "update outbox",
    ],
    ["select l.state from unnest($1) as wanted(id) cross join lateral (select * from leads l) l", "select leads"],
    ["select a is distinct from b from budgets", "select budgets"],
    ["select lead_id from leads order by lead_id for update", "select leads"],
  ] as const)
    it(`of ${JSON.stringify(sql.slice(0, 48))} is ${name}`, () => assert.equal(statementName(sql), name));

  it("has nothing of a value in it", () => {
    assert.equal(statementName("select * from leads where email = 'jane@example.com'"), "select leads");
  });
});
