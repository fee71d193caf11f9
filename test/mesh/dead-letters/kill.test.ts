import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { pipeline, sideStages } from "../../../config/pipeline.ts";
import { environmentOf } from "../../../config/settings.ts";
import { ensureStreams } from "../../../mixins/jetstream.ts";
import { transaction } from "../../../mixins/knex.ts";
import { claimLetters, createJob, leaseJob } from "../../../services/dead-letters/jobs.sql.ts";
import { letterId } from "../../../services/dead-letters/letter-id.ts";
import type { LetterRow } from "../../../services/dead-letters/letters.sql.ts";
import { parseLetter } from "../../../services/dead-letters/plan.ts";
import { putBack } from "../../../services/dead-letters/put-back.ts";
import { messageOf } from "../../../services/dead-letters/sweep.ts";
import { audit } from "../../../services/leads/audit.ts";
import { insertLeads } from "../../../services/leads/record.ts";
import { bury, jobEnd, mailboxLeads } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { aLead, passed } from "../../support/leads.ts";
import { trackLeak } from "../../support/leaks.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";

const redriver = join(import.meta.dirname, "../../..", "test/support/redriver.ts");

/** A process that works off jobs; `kill` is a kill -9. */
async function startRedriver({ settings }: TestMesh) {
  const child = spawn(process.execPath, [redriver], {
    env: { PATH: process.env.PATH, ...environmentOf(settings) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const untrack = trackLeak("a redriver");
  const exited = once(child, "exit").finally(untrack);
  await once(child.stdout, "data");
  return {
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

describe("a redrive whose process is killed", function () {
  this.timeout(90_000);

  it("is finished by another: none twice, none lost, conservation at each look", async () => {
    const count = 300;
    await using mesh = await startMesh({ services: ["services/leads/leads.service.ts"] });
    const { nats, names, settings, broker } = mesh;
    await ensureStreams(nats, names, settings, pipeline, sideStages);
    const leads = Array.from({ length: count }, () => passed(aLead(), "enrich", "dedupe"));
    await bury(mesh, leads);
    const holds = async () => {
      const { ok, broken } = await audit({ nats, names, settings });
      assert.ok(ok, broken.join());
    };
    let victim = await startRedriver(mesh);
    const ask = { tenant: "acme", by: "a test", filter: {} };
    await broker.waitForServices("dead-letters", 10_000);
    const { id } = await broker.call<{ id: string }, object>("dead-letters.redrive", ask);
    const jobs = mesh.resources.databases.of("")("dead_letter_jobs").where({ job_id: id });
    for (let kills = 1; kills <= 2; kills++) {
      const goal = (count * kills) / 4;
      await eventually("it is under way", async () => (await mailboxLeads(mesh, "score")).length >= goal, {
        everyMs: 1,
        withinMs: 30_000,
      });
      await victim.kill();
      await holds();
      // Not to wait for the lease of one that is dead.
      await jobs.clone().update({ lease_until: new Date(0) });
      victim = await startRedriver(mesh);
    }
    await broker.waitForServices("dead-letters", 10_000);
    const job = await jobEnd(mesh, id, 60_000);
    await victim.kill();
    assert.deepEqual([job.redriven, job.claimed], [count, count]);
    const back = (await mailboxLeads(mesh, "score")).map(({ leadId }) => leadId);
    assert.equal(back.length, count, "each once");
    assert.deepEqual(new Set(back), new Set(leads.map(({ leadId }) => leadId)));
    await holds();
  });

  it("has put back what it mended, once, though the record holds that as a later telling than the letter's", async () => {
    await using mesh = await startMesh({ services: ["services/leads/leads.service.ts"] });
    const { nats, names, settings } = mesh;
    await ensureStreams(nats, names, settings, pipeline, sideStages);
    const knex = mesh.resources.databases.of("");
    const lead = passed(aLead(), "enrich", "dedupe");
    await bury(mesh, [lead]);
    const patch = { name: "Mill" };
    const job = await createJob(knex, {
      ...{ id: randomUUID(), operationId: randomUUID(), tenant: "acme", kind: "redrive", filter: {}, patch },
      ...{ reason: null, by: "a test", rate: null, most: null, untilSeq: 1, matched: 1 },
    });
    // The one that is killed: it had claimed the letter and put its lead back, and the lead had arrived.
    const killed = randomUUID();
    await leaseJob(knex, killed, 60_000);
    const claim = await claimLetters(knex, job, killed, 10);
    assert.ok(claim.kind === "letters");
    const [row] = claim.letters as [LetterRow];
    const letter = parseLetter((await messageOf({ nc: nats, names }, row))!.data);
    const mended = { ...lead, timeline: [], revision: Date.now(), fields: { ...lead.fields, ...patch } };
    await putBack({
      ...{ nc: nats, names, stage: "enrich", jobId: job.id, mayPublish: () => true },
      letters: [{ id: letterId(row), claim: row.claim!, letter, lead: mended }],
      signal: AbortSignal.timeout(10_000),
    });
    await transaction(knex, (trx) => insertLeads(trx, "dedupe", [mended]));
    await knex("dead_letter_jobs").update({ lease_until: new Date(0) });

    await using _other = await startMesh({ place: mesh, services: ["services/dead-letters/dead-letters.service.ts"] });
    const { redriven, leftDead } = await jobEnd(_other, job.id);
    assert.deepEqual([redriven, leftDead], [1, {}]);
    assert.deepEqual(await mailboxLeads(mesh, "enrich"), [mended]);
    assert.equal(await messageOf({ nc: nats, names }, row), null, "its letter is let go of");
  });
});
