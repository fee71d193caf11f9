import { randomUUID } from "node:crypto";
import type { ServiceBroker } from "moleculer";
import { columns, plain, time } from "./format.ts";
import { by, call, note, numberOf, type Shown } from "./shared.ts";

/** The command `dead`: lists dead letters, shows, redrives and discards them. */
export async function dead(broker: ServiceBroker, words: string[], options: Record<string, any>): Promise<Shown> {
  const [verb = "list", ...ids] = words;
  const { tenant = "*", stage, error, since, all, patch, reason, rate, limit, dryRun } = options;
  const filter = {
    ...(stage === undefined ? {} : { stage }),
    ...(error === undefined ? {} : { error }),
    ...(since === undefined ? {} : { since: Date.now() - Math.round(numberOf("since", since) * 60_000) }),
  };
  const asked = {
    tenant,
    by,
    // The call is made again when its answer is lost: with its id it is one job all the same.
    id: randomUUID(),
    ...(all ? { filter } : { ids }),
    ...(rate === undefined ? {} : { rate: numberOf("rate", rate) }),
    ...(limit === undefined ? {} : { limit: numberOf("limit", limit) }),
    ...(dryRun ? { dryRun: true } : {}),
  };
  switch (verb) {
    case "list": {
      const json = await call(broker, "dead-letters.list", { tenant, ...filter, limit: asked.limit ?? 20 });
      note(...json.items.flatMap((l: any) => [l.id, l.leadId]));
      const counts = await call(broker, "dead-letters.counts", { tenant });
      const rows = json.items.map((l: any) => [
        l.id,
        time(l.diedAt),
        l.tenant,
        l.stage,
        l.errorType,
        l.leadId ?? l.kind,
      ]);
      const of = counts.items.map((c: any) => `${c.count} in ${c.stage} with ${c.error}`).join(", ");
      return {
        json: { ...json, counts },
        text: `${columns([["letter", "died at", "tenant", "stage", "error", "lead"], ...rows])}\n${counts.total} in all${of ? `: ${plain(of)}` : ""}`,
      };
    }
    case "show": {
      const json = await call(broker, "dead-letters.get", { tenant, id: ids[0] ?? "" });
      note(json.leadId);
      return { json, text: JSON.stringify(json, null, 2) };
    }
    case "redrive": {
      const mended = patch === undefined ? {} : { patch: JSON.parse(patch) };
      return jobText(await call(broker, "dead-letters.redrive", { ...asked, ...mended }));
    }
    case "discard":
      return jobText(await call(broker, "dead-letters.discard", { ...asked, reason: (reason ?? []).join(" ") }));
    case "jobs": {
      const json = await call(broker, "dead-letters.jobs", { tenant });
      const rows = json.items.map((j: any) => [
        time(j.createdAt),
        j.id,
        j.kind,
        j.state,
        j.matched,
        j.redriven,
        j.discarded,
        j.by,
      ]);
      return {
        json,
        text: columns([["at", "job", "what", "state", "matched", "redriven", "discarded", "by"], ...rows]),
      };
    }
    default:
      throw new Error(`dead ${plain(verb)} is not known: show, redrive, discard, jobs, or nothing`);
  }
}

function jobText(json: any): Shown {
  if (json.dryRun) {
    const left = (json.left ?? []).map(({ id, why }: any) => `  ${id} would be left: ${why}`);
    return {
      json,
      text: [
        `would be done with ${json.matched}${json.looked === undefined ? "" : `; of ${json.looked} looked at, ${json.redrivable} can be redriven`}`,
        ...left,
      ].join("\n"),
    };
  }
  return { json, text: `job ${json.id}: ${json.kind} of ${json.matched} has begun; dead jobs shows how far it is` };
}
