import type { NatsConnection } from "nats";
import { headers, type Lane, lanes, type Names } from "../../config/names.ts";
import { countOf } from "../../mixins/actor/envelope.ts";
import { errCodes, JetStreamError } from "../../mixins/jetstream.ts";
import { type Stored, scan } from "../../mixins/scan.ts";
import type { Sighting } from "./why.ts";

/** How long the streams are searched for one lead. */
const patienceMs = 4_000;

/**
 * Looks for a lead in the mailboxes, the park and its tenant's intake: reads messages as they stand, and takes none. In
 * the order in which leads move, so that one that moves on is met later. Ends at the first that holds it, or in time.
 */
export async function findLead(
  nc: NatsConnection,
  names: Names,
  stages: readonly string[],
  tenant: string,
  leadId: string,
): Promise<{ sightings: Sighting[]; incomplete: boolean }> {
  const until = Date.now() + patienceMs;
  const wanted = Buffer.from(`"leadId":"${leadId}"`);
  const places: { place: Sighting["place"]; stage: string | null; lane: Lane; stream: string; subject: string }[] = [
    ...stages.flatMap((stage) => {
      const { stream, subject } = names.mailbox(stage);
      return lanes.map((lane) => ({ place: "mailbox" as const, stage, lane, stream, subject: subject(lane) }));
    }),
    ...stages.flatMap((stage) =>
      lanes.flatMap((lane) => {
        const { stream, waiting, due } = names.park;
        return [
          { place: "parked" as const, stage, lane, stream, subject: waiting(stage, lane) },
          { place: "due" as const, stage, lane, stream, subject: due(stage, lane) },
        ];
      }),
    ),
    { place: "intake", stage: null, lane: "bulk", stream: names.intake.stream, subject: names.intake.subject(tenant) },
  ];
  for (const { place, stage, lane, stream, subject } of places) {
    let before = 0;
    try {
      for await (const batch of scan(nc, stream, { subject })) {
        for (const message of batch) {
          // The mailboxes are everybody's: what another tenant has under this id is not told.
          if (
            message.headers?.get(headers.tenant) === tenant &&
            Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length).includes(wanted)
          )
            return { sightings: [{ place, stage, lane, before, ...contents(message, leadId) }], incomplete: false };
          before += countOf(message.headers);
        }
        if (Date.now() > until) return { sightings: [], incomplete: true };
      }
    } catch (error) {
      if (!(error instanceof JetStreamError && error.errCode === errCodes.streamNotFound)) throw error;
    }
  }
  return { sightings: [], incomplete: false };
}

function contents({ storedAt, headers: h, data }: Stored, leadId: string): Pick<Sighting, "since"> & Partial<Sighting> {
  const at = /^@at (.+)$/.exec(h?.get(headers.schedule) ?? "")?.[1];
  const items = (JSON.parse(new TextDecoder().decode(data))?.items ?? []) as {
    lead?: { leadId?: string };
    tries?: { count: number; error: { type: string; message: string } };
  }[];
  const tries = items.find(({ lead }) => lead?.leadId === leadId)?.tries;
  return {
    since: storedAt,
    ...(at === undefined ? {} : { until: Date.parse(at) }),
    ...(tries ? { tries: tries.count, error: tries.error } : {}),
  };
}
