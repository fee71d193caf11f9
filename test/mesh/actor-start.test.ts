import assert from "node:assert/strict";
import type { NatsConnection } from "nats";
import type { StageConfig } from "../../config/pipeline.ts";
import { complete } from "../../mixins/actor/outcome.ts";
import { consumerInfo, ensureStreams, requireServer } from "../../mixins/jetstream.ts";
import { Ends, put, streamInfo } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { testPlace } from "../support/servers.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const flow: StageConfig[] = [
  { name: "one", ...quick },
  { name: "two", ...quick },
];

describe("the start of an actor", () => {
  it("is safe for twenty instances at once, which then share the work", async () => {
    await using place = await testPlace();
    const ends = new Ends();
    const workers = new Set<number>();
    const starting = Array.from({ length: 20 }, (_, n) =>
      startMesh({
        place,
        flow,
        services: [
          stage("one", {
            handle(batch) {
              workers.add(n);
              return batch.map(({ lead }) => complete(lead, "done"));
            },
            checkpoint: ends.checkpoint,
          }),
        ],
      }),
    );
    const started = await Promise.allSettled(starting);
    const meshes = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    try {
      for (const one of started) if (one.status === "rejected") throw one.reason;
      const leads = someLeads(400);
      await acceptLive(meshes[0]!, leads);
      await eventually("all ended", () => ends.size === leads.length);
      await quiet(meshes[0]!, ["one"]);
      assert.equal(ends.repeats, 0);
      assert.ok(workers.size > 1, `${workers.size} instances worked`);
    } finally {
      await Promise.all(meshes.map((mesh) => mesh.stop()));
    }
  });

  it("makes a mailbox that pushes back, a consumer a lane, and the streams that all stages share", async () => {
    await using mesh = await startMesh({ flow, services: [stage("one")] });
    const { nats, names } = mesh;
    const mailbox = (await streamInfo(nats, names.mailbox("one").stream)).config;
    assert.deepEqual(
      [mailbox.retention, mailbox.discard, mailbox.discard_new_per_subject, mailbox.max_msgs_per_subject],
      ["workqueue", "new", true, 20_000],
    );
    for (const lane of ["live", "bulk"]) {
      const { config } = (await consumerInfo(nats, names.mailbox("one").stream, lane)) as any;
      assert.deepEqual(
        [config.durable_name, config.filter_subject, config.ack_wait, config.max_deliver, config.ack_policy],
        [lane, `${names.prefix}.one.${lane}`, 2e9, -1, "explicit"],
      );
    }
    const park = (await streamInfo(nats, names.park.stream)).config;
    assert.deepEqual([park.allow_msg_schedules, park.max_msgs, park.max_bytes, park.max_age], [true, -1, -1, 0]);
    const dead = (await streamInfo(nats, names.dead.stream)).config;
    assert.deepEqual([dead.retention, dead.discard, dead.max_age], ["limits", "new", 0]);
  });

  it("brings a stream and a consumer of other settings up to date, and keeps what is in them", async () => {
    await using place = await testPlace();
    const config = async (mesh: TestMesh) => {
      const { stream } = mesh.names.mailbox("one");
      const [{ config: box }, { config: lane }] = await Promise.all([
        streamInfo(mesh.nats, stream),
        consumerInfo(mesh.nats, stream, "live") as Promise<any>,
      ]);
      return [box.max_msgs_per_subject, lane.ack_wait / 1e6];
    };
    const [line] = flow;
    await using first = await startMesh({ place, flow: [line!], services: [stage("one")] });
    assert.deepEqual(await config(first), [20_000, 2_000]);
    await first.stop();
    await using outside = await startMesh({ place, flow: [line!], services: [] });
    await put(outside, "one", "live", someLeads(3));
    const ends = new Ends();
    await using second = await startMesh({
      place,
      flow: [{ name: "one", ...quick, ackWaitMs: 7_000 }],
      env: { LEADS_MAILBOX_ENVELOPES: "123" },
      services: [stage("one", { checkpoint: ends.checkpoint })],
    });
    assert.deepEqual(await config(second), [123, 7_000]);
    await eventually("the three", () => ends.size === 3);
  });

  it("begins when all services of the process are there, so that a handler may call any of them", async () => {
    await using place = await testPlace();
    const flow = [{ name: "one", ...quick }];
    await using outside = await startMesh({ place, flow, services: [] });
    await ensureStreams(outside.nats, outside.names, outside.settings, flow);
    await put(outside, "one", "live", someLeads(5));
    const answers: unknown[] = [];
    const late = {
      name: "late",
      actions: { look: () => "here" },
      started: () => new Promise<void>((resolve) => setTimeout(resolve, 300)),
    };
    await using mesh = await startMesh({
      place,
      flow,
      services: [
        stage("one", {
          async handle(batch) {
            answers.push(await this.broker.call("late.look"));
            return batch.map(({ lead }) => complete(lead, "done"));
          },
        }),
        late,
      ],
    });
    await quiet(mesh, ["one"]);
    assert.deepEqual(new Set(answers), new Set(["here"]));
  });

  it("refuses a NATS server that is too old or has no JetStream, and says what is needed", async () => {
    const like = (version: string, jetstream?: boolean) =>
      ({ info: { version, jetstream } }) as unknown as NatsConnection;
    for (const version of ["2.9.10", "2.11.99", "1.4.1"])
      assert.throws(() => requireServer(like(version, true)), new RegExp(`${version} is too old: 2\\.12 or newer`));
    assert.throws(() => requireServer(like("2.12.0")), /without JetStream: start it with -js/);
    for (const version of ["2.12.0", "2.15.1", "2.14.0-RC.1", "3.0.0"]) requireServer(like(version, true));
  });

  it("refuses a stage that has no line in the pipeline", async () => {
    await assert.rejects(startMesh({ flow, services: [stage("three")] }), /stage "three" has no line/);
  });

  it("survives being told to stop while it begins, and leaves nothing running", async () => {
    await using place = await testPlace();
    await using first = await startMesh({ place, flow, services: [stage("one")] });
    for (let n = 0; n < 2; n++) {
      const mesh = await startMesh({ place, flow, services: [stage("one")] });
      await mesh.stop();
    }
    // The rest of the mesh goes on, and the consumer has no more than one instance's requests.
    await eventually("one instance pulls", async () => {
      const { num_waiting } = await consumerInfo(first.nats, first.names.mailbox("one").stream, "live");
      return num_waiting === 1;
    });
  });
});
