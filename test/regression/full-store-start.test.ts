import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { natsServer } from "../../bin/stack/nats.ts";
import { namesFor } from "../../config/names.ts";
import { ensureShared, jsApi } from "../../mixins/jetstream.ts";
import { connectNats } from "../../mixins/resources.ts";
import { limitedNats } from "../fault/nats.ts";
import { natsBinary, own, testPlace, withSettings } from "../support/servers.ts";

/**
 * The server refuses to make a stream for want of room before it looks whether the stream is there: no process could
 * start again while the store was full, though it needed nothing of it.
 */
describe("a process that starts while NATS's store is full", () => {
  it("takes the streams that are there, and says of one that is not why it cannot be", async () => {
    const dir = mkdtempSync(join(tmpdir(), "leadfactory-nats-"));
    await using place = await testPlace();
    await using server = await own(limitedNats(natsServer(await natsBinary()), dir));
    const settings = withSettings(place.settings, {
      LEADS_NATS_URL: server.url,
      LEADS_INTAKE_BYTES: "33554432",
      LEADS_DEAD_BYTES: "8388608",
      LEADS_SCREENSHOT_BYTES: "1048576",
    });
    const nc = await connectNats(settings, "test");
    try {
      const names = namesFor(settings.prefix);
      await ensureShared(nc, names, settings);
      // Sets aside all that is left but a little.
      await jsApi(nc, "STREAM.CREATE.other", { name: "other", subjects: ["other"], max_bytes: 100_000_000 });
      await ensureShared(nc, names, settings);
      await jsApi(nc, `STREAM.DELETE.${names.intake.stream}`);
      await jsApi(nc, "STREAM.CREATE.another", { name: "another", subjects: ["another"], max_bytes: 40_000_000 });
      await assert.rejects(ensureShared(nc, names, settings), /insufficient storage/);
    } finally {
      await nc.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
