import type { Act, RowAct } from "./act.ts";
import { connections, deadlocks, lock, terminate } from "./faults/database.ts";
import { gateway, importer } from "./faults/edge.ts";
import { late, provider, tooMany } from "./faults/outside.ts";
import { cut, freeze, kill, rolling, scale } from "./faults/process.ts";
import { fullStore, leader, server } from "./faults/servers.ts";
import { killAt } from "./faults/steps.ts";
import type { Cuttable } from "./judge.ts";
import { stages } from "./world.ts";

/** Something that breaks: strikes while its target has work in hand, and heals what does not heal by itself. */
export interface Fault<A extends Act = Act> {
  what: string;
  /** Strikes when the import begins, not when it is under way. */
  early?: boolean;
  /** What it may cut in two; nothing where it says nothing. */
  cuts?: readonly Cuttable[];
  strike(act: A): Promise<void>;
}

/** Critical paths: taking a lead in, looking one up, the way through all stages. */
export type Path = "takeIn" | "lookUp" | "through";

export interface Row extends Fault<RowAct> {
  name: string;
  /** Paths that are available all the while, in 99.9 % of the cases. The others stand still, and come back. */
  stands: readonly Path[];
  /** No message may be delivered a second time. */
  noRepeats?: true;
  /** An answer may take so many times as long, at p95, while the fault lasts; an import is under way then, and was before. */
  slower?: number;
  /** Rows that need other leads than the run's: a factor. */
  leads?: number;
  cluster?: true;
}

const all: readonly Path[] = ["takeIn", "lookUp", "through"];
/** PostgreSQL is gone: leads are accepted, and reach their end when it is back. */
const withoutRecord: readonly Path[] = ["takeIn", "through"];
/** NATS is gone: nothing can be promised. */
const withoutNats: readonly Path[] = ["through"];

const row = (name: string, fault: Fault<RowAct>, stands: readonly Path[] = all, more: Partial<Row> = {}): Row => ({
  ...fault,
  ...more,
  name,
  stands,
});

/** Two faults at once, the second a moment after the first. */
function both(first: Fault<RowAct>, second: Fault<RowAct>): Fault<RowAct> {
  return {
    what: `${first.what}, and ${second.what}`,
    cuts: [...(first.cuts ?? []), ...(second.cuts ?? [])],
    async strike(act) {
      const delayMs = act.random.whole(0, 1_000);
      await Promise.all([
        first.strike(act),
        new Promise((resolve) => setTimeout(resolve, delayMs)).then(() => second.strike(act)),
      ]);
    },
  };
}

/** Faults one after another, each when the mesh has recovered from the one before. */
function inTurn(...faults: readonly Fault<RowAct>[]): Fault<RowAct> {
  return {
    what: faults.map(({ what }) => what).join("; "),
    early: faults[0]!.early ?? false,
    async strike(act) {
      for (const fault of faults) await act.suffer(fault);
    },
  };
}

/** THE TABLE: every fault that is tried. */
export const rows: readonly Row[] = [
  ...stages.flatMap((stage) => [
    row(`${stage}-kill`, kill(stage)),
    row(`${stage}-freeze`, freeze(stage)),
    row(`${stage}-cut`, cut(stage)),
  ]),
  row("admission-kill", killAt("admission", "given")),
  ...["site", "pagespeed", "budget", "smtp", "sender"].map((name) => row(`${name}-kill`, kill(name))),
  row("pagespeed-freeze", freeze("pagespeed")),
  row("pagespeed-cut", cut("pagespeed")),
  row("sender-freeze", freeze("sender")),
  row("sender-cut", cut("sender")),
  // Of the two that read the same notes this one has some itself.
  row("leads-kill", killAt("leads", "told")),
  row("step-read", killAt("enrich", "read")),
  row("step-committed", killAt("dedupe", "committed")),
  row("step-passed-on", killAt("score", "passedOn")),
  row("step-buried", killAt("enrich", "buried")),
  row("step-sent", killAt("sender", "sent")),
  row("step-moved", killAt("admission", "moved")),
  row("step-written", killAt("leads", "written"), withoutRecord),
  row("gateway-kill", gateway("kill")),
  row("gateway-freeze", gateway("freeze")),
  row("gateway-cut", gateway("cut")),
  row("importer-kill", importer("kill"), all, { leads: 3 }),
  row("importer-freeze", importer("freeze"), all, { leads: 3 }),
  row("importer-cut", importer("cut"), all, { leads: 3 }),
  row("nats-kill", server("nats", "kill"), withoutNats),
  row("nats-freeze", server("nats", "freeze"), withoutNats),
  row("nats-cut", server("nats", "cut"), withoutNats),
  row("nats-restart", server("nats", "restart"), withoutNats),
  row("nats-full", fullStore, withoutNats),
  row("nats-leader", leader(4), withoutNats, { cluster: true, leads: 2 }),
  row("postgres-kill", server("postgres", "kill"), withoutRecord),
  row("postgres-freeze", server("postgres", "freeze"), withoutRecord),
  row("postgres-cut", server("postgres", "cut"), withoutRecord),
  row("postgres-restart", server("postgres", "restart"), withoutRecord),
  row("postgres-terminate", terminate, withoutRecord),
  row("postgres-deadlocks", deadlocks),
  row("postgres-lock", lock, withoutRecord),
  row("postgres-connections", connections, withoutRecord),
  row("redis-kill", server("redis", "kill"), all, { slower: 3 }),
  row("redis-freeze", server("redis", "freeze"), all, { slower: 3 }),
  row("redis-cut", server("redis", "cut"), all, { slower: 3 }),
  row("provider-down", provider("down for ten minutes of a shortened clock", "500")),
  row("provider-429", tooMany),
  row("provider-garbage", provider("garbage", "another shape")),
  row("provider-silent", provider("no answer within its timeout", "slow")),
  row("clock-late", late),
  row("scale", scale("enrich"), all, { noRepeats: true }),
  row("rolling", rolling(), all, { noRepeats: true, leads: 2 }),
  row("pair-enrich-postgres", both(kill("enrich"), server("postgres", "kill")), withoutRecord),
  row("pair-nats-sender", both(server("nats", "kill"), kill("sender")), withoutNats),
  row("pair-redis-dedupe", both(server("redis", "kill"), kill("dedupe"))),
  row("pair-gateway-provider", both(gateway("kill"), provider("down", "500"))),
];

/** Each kind of fault once: the short form. */
export const shortRows: readonly Row[] = [
  row("short-processes", inTurn(freeze("score"), cut("email"), kill("dedupe"))),
  row("short-steps", inTurn(killAt("sender", "sent"), killAt("enrich", "buried"), killAt("enrich", "read"))),
  row("short-edge", inTurn(importer("kill"), gateway("kill"))),
  row("short-servers", inTurn(server("nats", "kill"), fullStore, server("redis", "kill")), withoutNats),
  row("short-database", inTurn(deadlocks, server("postgres", "kill"), terminate, lock, connections), withoutRecord, {
    leads: 2,
  }),
  row("short-outside", inTurn(provider("down", "500"), provider("garbage", "another shape"), tooMany, late)),
  row("short-pair", both(kill("enrich"), server("postgres", "kill")), withoutRecord),
  row("short-drain", inTurn(scale("enrich"), rolling(["site", "dedupe"])), all, {
    noRepeats: true,
    cluster: true,
  }),
  row("short-leader", leader(1), withoutNats, { cluster: true }),
];

/** Where one of the planted bugs (test/fault/bugs) opens a window in which a process can be killed. */
export const windows = {
  acknowledgeFirst: row("bug-acknowledge-first", killAt("enrich", "read")),
  claimLate: row("bug-claim-late", killAt("sender", "sent")),
  forget: row("bug-forget", killAt("sender", "sent")),
  joinNone: row("bug-join-none", killAt("dedupe", "committed")),
  noDeadLetter: row("bug-no-dead-letter", killAt("enrich", "buried")),
} as const;
