import assert from "node:assert/strict";
import type { Knex } from "knex";
import { sweepJobs } from "../../../services/dead-letters/sweep.sql.ts";
import { sweepLetters } from "../../../services/leads/dead-letters.sql.ts";
import { sweepOperations } from "../../../services/leads/operations.sql.ts";
import { buried, jobEnd } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";

const services = ["services/leads/leads.service.ts", "services/dead-letters/dead-letters.service.ts"];

describe("dead letters, jobs and operations that are over", function () {
  this.timeout(60_000);
  let mesh: TestMesh;
  let knex: Knex;
  before(async () => {
    mesh = await startMesh({ services, env: { LEADS_LETTER_DAYS: "30", LEADS_OPERATION_DAYS: "60" } });
    knex = mesh.resources.databases.of("");
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  const ago = (days: number) => knex.raw("now() - make_interval(days => ?)", [days]);
  const explained = async (sql: string) => {
    const { rows } = await knex.raw(`explain ${sql}`);
    return rows.map((row: { "QUERY PLAN": string }) => row["QUERY PLAN"]).join("\n");
  };

  it("are swept when their days are over, and nothing that is open", async () => {
    const discard = async (id: string) => {
      const ask = { tenant: "acme", by: "a test", ids: [id], reason: "junk" };
      return jobEnd(mesh, (await mesh.broker.call<any, object>("dead-letters.discard", ask)).id);
    };
    const [old, fresh, open] = [await buried(mesh, "acme"), await buried(mesh, "acme"), await buried(mesh, "acme")];
    const [oldJob, freshJob] = [await discard(old), await discard(fresh)];
    const running = await discard(old);
    await knex("dead_letters")
      .where({ job_id: oldJob.id })
      .update({ closed_at: ago(31) });
    await knex("dead_letters")
      .where({ job_id: freshJob.id })
      .update({ closed_at: ago(29) });
    await knex("dead_letter_jobs")
      .where({ job_id: oldJob.id })
      .update({ ended_at: ago(31), swept: true });
    await knex("dead_letter_jobs")
      .where({ job_id: freshJob.id })
      .update({ ended_at: ago(29), swept: true });
    // Its markers still stand.
    await knex("dead_letter_jobs")
      .where({ job_id: running.id })
      .update({ ended_at: ago(31), swept: false });
    await eventually("the operations are booked", async () => (await knex("operations")).length === 3);
    await knex("operations")
      .where({ operation_id: oldJob.operationId })
      .update({ at: ago(61) });
    await knex("operations")
      .where({ operation_id: freshJob.operationId })
      .update({ at: ago(59) });

    assert.deepEqual([await sweepLetters(knex, 30, 10), await sweepLetters(knex, 30, 10)], [1, 0]);
    assert.deepEqual([await sweepJobs(knex, 30, 10), await sweepJobs(knex, 30, 10)], [1, 0]);
    assert.deepEqual([await sweepOperations(knex, 60, 10), await sweepOperations(knex, 60, 10)], [1, 0]);
    const get = (id: string) => mesh.broker.call<any, object>("dead-letters.get", { tenant: "acme", id });
    await assert.rejects(get(old), { type: "NOT_FOUND" });
    assert.deepEqual([(await get(fresh)).state, (await get(open)).state], ["discarded", "dead"]);
    const jobs = await knex("dead_letter_jobs").pluck("job_id");
    assert.deepEqual(jobs.sort(), [freshJob.id, running.id].sort());
    assert.equal((await knex("operations")).length, 2);
  });

  it("go in bounded portions, found by an index, and by the service itself when it starts", async () => {
    await knex.raw(
      `insert into dead_letters (tenant, seq, died_at, kind, stage, error_type, attempts, state, closed_at)
       select 'acme', 100000 + n, now(), 'lead', 'score', 'X', 1, 'redriven', now() - make_interval(mins => n) from generate_series(1, 60000) n`,
    );
    await knex.raw("analyze dead_letters");
    const plan = await explained(
      "select seq from dead_letters where closed_at < now() - interval '35 days' order by closed_at limit 1000",
    );
    assert.match(plan, /Index Scan using dead_letters_closed/);
    assert.equal(await sweepLetters(knex, 41, 500), 500);
    await using second = await startMesh({
      services: services.slice(1),
      place: mesh,
      env: { LEADS_LETTER_DAYS: "30" },
    });
    assert.ok(second.broker.started);
    await eventually("nothing is left that is older", async () => {
      const [{ n }] = (await knex("dead_letters").where("closed_at", "<", ago(30)).count({ n: "*" })) as [
        { n: string },
      ];
      return Number(n) === 0;
    });
    const [{ n }] = (await knex("dead_letters").where({ state: "redriven" }).count({ n: "*" })) as [{ n: string }];
    assert.ok(Number(n) > 43_000, `${n} are younger`);
  });
});
