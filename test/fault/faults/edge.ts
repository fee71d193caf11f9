import { setTimeout as delay } from "node:timers/promises";
import type { RowAct } from "../act.ts";
import type { Fault } from "../rows.ts";
import { catchWithWork } from "./process.ts";

/** Starts an upload beside the import, and hands over the gateway that has read half of it. */
function uploading(what: string, strike: (act: RowAct, name: string) => Promise<void>): Fault<RowAct> {
  return {
    what: `gateway during a bulk upload: ${what}`,
    async strike(act) {
      const { load } = act;
      const at = load.client.gateway;
      const half = Promise.withResolvers<void>();
      let done = false;
      const upload = load.upload(Math.ceil(act.leads / 2), at, half.resolve).finally(() => {
        done = true;
      });
      upload.catch(half.reject);
      await half.promise;
      if (done) throw new Error("the upload was over before the fault struck");
      await strike(act, at === 0 ? "gateway" : "gateway2");
      await upload;
    },
  };
}

const ways = {
  kill: uploading("kill -9", async (act, name) => {
    act.struck("upload", 1);
    await act.world.nodes.get(name)!.kill();
    act.healed();
  }),
  freeze: uploading("SIGSTOP past every timeout, SIGCONT", async (act, name) => {
    const node = act.world.nodes.get(name)!;
    act.struck("upload", 1);
    node.freeze();
    await delay(act.world.clock.freezeMs);
    node.thaw();
    act.healed();
  }),
  cut: uploading("its connections cut", async (act, name) => {
    const { lines } = act.world.nodes.get(name)!;
    for (const line of lines) await line.silence();
    act.struck("upload", 1);
    await delay(act.world.clock.outageMs);
    for (const line of lines) await line.restore();
    act.healed();
  }),
};
export const gateway = (way: keyof typeof ways): Fault => ways[way];

/** The importer in the middle of its file: something of it is stored, and it has not ended. */
export function importer(way: "kill" | "freeze" | "cut"): Fault<RowAct> {
  const what = { kill: "kill -9", freeze: "SIGSTOP past every timeout, SIGCONT", cut: "its connections cut" }[way];
  return {
    what: `importer: ${what}`,
    early: true,
    async strike(act) {
      const { load, world } = act;
      const stored = async () => {
        const { state } = await (await world.nats.jetstreamManager()).streams.info(world.names.intake.stream);
        return load.importer === undefined ? 0 : state.last_seq - act.intakeBefore;
      };
      const who = { name: "the importer", freeze: () => load.freezeImporter(), thaw: () => load.thawImporter() };
      const found = await catchWithWork(act, who, stored);
      if (load.importDone || load.importer === undefined)
        throw new Error("the import was over before the fault struck");
      act.struck("envelopes of an unfinished import", found);
      if (way === "kill") await load.killImporter();
      else if (way === "freeze") await delay(world.clock.freezeMs);
      else {
        for (const line of load.importerLines) await line.silence();
        load.thawImporter();
        await delay(world.clock.outageMs);
        for (const line of load.importerLines) await line.restore();
      }
      load.thawImporter();
      act.healed();
    },
  };
}
