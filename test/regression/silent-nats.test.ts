import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { loadSettings } from "../../config/settings.ts";
import { connectNats } from "../../mixins/resources.ts";
import { eventually } from "../support/eventually.ts";

/** A frozen server takes connections, as its kernel does it. Each try left a socket open, until the server woke up. */
describe("a NATS server that takes connections and says nothing", () => {
  it("is left no socket by a connection that was given up", async () => {
    const open = new Set<Socket>();
    let taken = 0;
    const server = createServer((socket) => {
      taken++;
      open.add(socket);
      socket.on("error", () => {}).on("close", () => open.delete(socket));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const natsUrl = `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const settings = loadSettings({ LEADS_NATS_URL: natsUrl });
      for (let n = 0; n < 3; n++)
        await assert.rejects(connectNats(settings, "silent", { waitOnFirstConnect: false, timeout: 100 }), /TIMEOUT/);
      assert.ok(taken >= 3);
      await eventually("no socket is open", () => open.size === 0);
    } finally {
      for (const socket of open) socket.destroy();
      server.close();
    }
  });
});
