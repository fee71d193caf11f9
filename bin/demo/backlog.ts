import type { NatsConnection } from "nats";
import { lanes, type Names } from "../../config/names.ts";
import { consumerInfo, jsApi } from "../../mixins/jetstream.ts";

/** Envelopes that wait or are out, by where they are; parked ones apart. Zero everywhere: the mesh is quiet. */
export interface Backlog {
  intake: number;
  stages: Record<string, number>;
  parked: number;
  /** Notes of accepted and dead leads that the record has not read yet. */
  notes: number;
}

export async function readBacklog(nc: NatsConnection, names: Names, stages: readonly string[]): Promise<Backlog> {
  const messages = async (stream: string): Promise<number> => (await jsApi(nc, `STREAM.INFO.${stream}`)).state.messages;
  const open = async (stream: string, consumer: string): Promise<number> => {
    const info = await consumerInfo(nc, stream, consumer);
    return info.num_pending + info.num_ack_pending;
  };
  const [intake, parked, accepted, dead, ...counts] = await Promise.all([
    messages(names.intake.stream),
    messages(names.park.stream),
    messages(names.accepted.stream),
    open(names.dead.stream, names.dead.consumer),
    ...stages.map(async (stage) => {
      const { stream, consumer } = names.mailbox(stage);
      const both = await Promise.all(lanes.map((lane) => open(stream, consumer(lane))));
      return both.reduce((a, b) => a + b, 0);
    }),
  ]);
  return {
    intake: intake!,
    parked: parked!,
    notes: accepted! + dead!,
    stages: Object.fromEntries(stages.map((stage, n) => [stage, counts[n]!])),
  };
}

export function isQuiet({ intake, stages, parked, notes }: Backlog): boolean {
  return intake + parked + notes + Object.values(stages).reduce((a, b) => a + b, 0) === 0;
}

export function backlogLine({ intake, stages, parked }: Backlog): string {
  const parts = Object.entries(stages).map(([stage, count]) => `${stage} ${count}`);
  return `envelopes waiting: intake ${intake} | ${parts.join(" | ")} | parked ${parked}`;
}
