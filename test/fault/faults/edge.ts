import { setTimeout as delay } from "node:timers/promises";
import { jsApi } from "../../../mixins/jetstream.ts";
import type { RowAct } from "../act.ts";
import type { Fault } from "../rows.ts";
import { catchWithWork } from "./process.ts";

type Way = "kill" | "freeze" | "cut";

const words: Record<Way, string> = {
  kill: "kill -9",
  freeze: "SIGSTOP past every timeout, SIGCONT",
  cut: "its connections cut",
};

/** A gateway that has read half of an upload, which goes on when the fault has struck. */
export function gateway(way: Way): Fault<RowAct> {
  return {
    what: `gateway during a bulk upload: ${words[way]}`,
    async strike(act) {
      const { load, world } = act;
      const half = Promise.withResolvers<{ to: number; rows: number }>();
      const struck = Promise.withResolvers<void>();
      const upload = load.upload(Math.ceil(act.leads / 2), load.client.gateway, (to, rows) => {
        half.resolve({ to, rows });
        return struck.promise;
      });
      upload.catch(half.reject);
      // One that the first gateway has refused is in the hands of the other one.
      const { to, rows } = await half.promise;
      const node = world.nodes.get(to === 0 ? "gateway" : "gateway2")!;
      act.struck("rows of an unfinished upload", rows);
      if (way === "kill") await node.kill();
      else if (way === "freeze") node.freeze();
      else for (const line of node.lines) await line.silence();
      struck.resolve();
      if (way === "freeze") await delay(world.clock.freezeMs);
      if (way === "cut") await delay(world.clock.outageMs);
      node.thaw();
      if (way === "cut") for (const line of node.lines) await line.restore();
      act.healed();
      await upload;
    },
  };
}

/** The importer in the middle of its file: something of it is stored, and it has not ended. */
export function importer(way: Way): Fault<RowAct> {
  return {
    what: `importer: ${words[way]}`,
    early: true,
    async strike(act) {
      const { load, world } = act;
      const stored = async () => {
        // It was quicker than we: another file.
        if (load.importDone) await load.import(act.leads);
        const { state } = await jsApi(world.nats, `STREAM.INFO.${world.names.intake.stream}`);
        return load.importer === undefined ? 0 : state.last_seq - load.intakeBefore;
      };
      const who = { name: "the importer", freeze: () => load.freezeImporter(), thaw: () => load.thawImporter() };
      act.struck("envelopes of an unfinished import", await catchWithWork(act, who, stored));
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
