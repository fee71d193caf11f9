import { appendFileSync } from "node:fs";
import type { NatsConnection } from "nats";
import { headers as headerNames, type Lane, type Names } from "../../config/names.ts";
import type { DeadLetter } from "../../mixins/actor/dead-letter.ts";
import { pack, type Route } from "../../mixins/actor/envelope.ts";
import type { Item, Verdict } from "../../mixins/actor/outcome.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import type { StageState } from "../../mixins/actor.ts";
import { type ConsumerInfo, consumerInfo, jsApi } from "../../mixins/jetstream.ts";
import type { Lead } from "../../services/leads/lead.ts";
import type { TestMesh } from "./mesh.ts";
import { origin } from "./stages.ts";

type Place = Pick<TestMesh, "nats" | "names">;

/** A record as a stage's checkpoint keeps it: by id, so that a repeat changes nothing; counts what came twice. */
export class Ends {
  readonly leads = new Map<string, Lead>();
  repeats = 0;
  readonly checkpoint = async (_stage: string, verdicts: Verdict<Lead>[]): Promise<void> => {
    for (const { lead } of verdicts) {
      if (this.leads.has(lead.leadId)) this.repeats++;
      this.leads.set(lead.leadId, lead);
    }
  };
  get size(): number {
    return this.leads.size;
  }
}

/** A record that outlives its process: a line a verdict. */
export function fileRecord(file: string) {
  return async (_stage: string, verdicts: Verdict<Lead>[]): Promise<void> => {
    appendFileSync(file, verdicts.map(({ lead }) => `${lead.leadId}\n`).join(""));
  };
}

/** Puts leads straight into a stage's mailbox. `perEnvelope` counts for the bulk lane. `isSuspect`: as if they had killed a worker. */
export async function put(
  { nats, names }: Place,
  stage: string,
  lane: Lane,
  leads: readonly Item[],
  {
    perEnvelope = 50,
    route = {},
    isSuspect = false,
  }: { perEnvelope?: number; route?: Partial<Route>; isSuspect?: boolean } = {},
): Promise<void> {
  const publisher = new Publisher(nats);
  try {
    await Promise.all(
      pack(
        { ...origin(leads[0]!.tenant), lane, ...route },
        leads.map((lead) => ({ lead })),
        lane === "live" ? 1 : perEnvelope,
      ).map(({ data, headers }) => {
        if (isSuspect) headers.set(headerNames.suspect, "1");
        return publisher.publish(names.mailbox(stage).subject(lane), data, headers, {
          full: "throw",
          timeoutMs: 10_000,
        });
      }),
    );
  } finally {
    publisher.close();
  }
}

export function laneInfo({ nats, names }: Place, stage: string, lane: Lane): Promise<ConsumerInfo> {
  return consumerInfo(nats, names.mailbox(stage).stream, lane);
}

export async function streamInfo(nats: NatsConnection, stream: string): Promise<any> {
  return jsApi(nats, `STREAM.INFO.${stream}`);
}

/** How many times envelopes of a lane were delivered again, over the consumer's life. */
export async function redeliveries(place: Place, stage: string, lane: Lane, envelopes: number): Promise<number> {
  return (await laneInfo(place, stage, lane)).delivered.consumer_seq - envelopes;
}

/** Everything in the dead letters, oldest first, with its headers' text. */
export async function deadLetters({
  nats,
  names,
}: {
  nats: NatsConnection;
  names: Names;
}): Promise<(DeadLetter<Lead> & { headers: string; subject: string })[]> {
  const { state } = await streamInfo(nats, names.dead.stream);
  const letters = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
    const { message } = await jsApi(nats, `STREAM.MSG.GET.${names.dead.stream}`, { seq });
    const headers = Buffer.from(message.hdrs ?? "", "base64").toString();
    letters.push({ ...JSON.parse(Buffer.from(message.data, "base64").toString()), headers, subject: message.subject });
  }
  return letters;
}

export function stateOf(mesh: TestMesh, stage: string): Promise<StageState> {
  return mesh.broker.call(`${stage}.state`);
}

/** The states that a stage told of itself from now on, repeats left out. */
export function listen(mesh: TestMesh, stage: string): string[] {
  const told: string[] = [];
  mesh.broker.createService({
    name: `listener-${stage}`,
    events: {
      "stage.state": (ctx: { params: StageState }) => {
        if (ctx.params.stage === stage && told.at(-1) !== ctx.params.state) told.push(ctx.params.state);
      },
    },
  });
  return told;
}

/** The p-th quantile. */
export function quantile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))]!;
}

/** A signal: `await gate.wait()` until `gate.open()`. */
export function gate(): { open(): void; wait(): Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, wait: () => promise };
}
