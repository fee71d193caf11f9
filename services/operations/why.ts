/** Where a lead is, since when, and what it waits for: one sentence, and the facts behind it. */

/** Where the search of the streams met it. */
export interface Sighting {
  place: "mailbox" | "parked" | "due" | "intake";
  stage: string | null;
  lane: string;
  /** When its message was stored, ms since 1970. */
  since: number;
  /** Leads on the same lane that stand before it, about; those in hand are among them. */
  before: number;
  /** Of the parked: when it comes back. */
  until?: number;
  /** What made it wait. */
  error?: { type: string; message: string };
  tries?: number;
}

export interface LeadFacts {
  id: string;
  tenant: string;
  /** As the record has it; undefined: it does not. */
  lead?: {
    state: string;
    stage?: string;
    reason?: string;
    mergedInto?: string;
    updatedAt?: number;
    acceptedAt?: number;
  };
  /** The newest open dead letter. */
  letter?: { id: string; stage: string; diedAt: number; error: { type: string; message: string } };
  /** Of one that has ended: how its newest e-mail stands. */
  mail?: { state: string; dueAt?: number; reason?: string };
  sightings: readonly Sighting[];
  /** The search ended before it had seen everything. */
  incomplete: boolean;
}

export interface StageFacts {
  name: string;
  state: string;
  since?: number;
  /** These name operators, hosts and other tenants: absent where that is not to be told. */
  why?: string;
  by?: string;
  unacknowledged: number;
  instances: number;
}

export interface Why {
  id: string;
  tenant: string;
  where: "mailbox" | "parked" | "intake" | "dead" | "ended" | "unknown";
  stage?: string;
  lane?: string;
  since?: number;
  waitsFor?:
    | "its turn"
    | "a pause to end"
    | "an outage to end"
    | "its moment"
    | "an instance"
    | "an operator"
    | "admission";
  until?: number;
  before?: number;
  letter?: string;
  text: string;
}

const ended = new Set(["completed", "rejected", "merged", "discarded", "erased"]);
const time = (ms: number) =>
  new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");

/** What is on its way says more than the record, which hears of it late; a letter that stands says more than an old end. */
export function whyOf(facts: LeadFacts, stages: readonly StageFacts[]): Why {
  const { id, tenant, lead, letter, sightings } = facts;
  const sighting = sightings.find(({ place }) => place === "mailbox" || place === "due") ?? sightings[0];
  if (sighting)
    return {
      id,
      tenant,
      ...onItsWay(
        sighting,
        stages.find(({ name }) => name === sighting.stage),
      ),
    };
  if (lead && ended.has(lead.state)) return { id, tenant, ...over(lead, facts.mail) };
  if (letter) {
    const { stage, diedAt, error } = letter;
    const text = `dead since ${time(diedAt)} in ${stage}: ${error.type}: ${error.message}. It waits for an operator: redrive or discard letter ${letter.id}`;
    return { id, tenant, where: "dead", stage, since: diedAt, waitsFor: "an operator", letter: letter.id, text };
  }
  const unseen = facts.incomplete
    ? "it was not met among the messages that were looked through: the streams hold more than could be read in time"
    : "no stream holds it just now: it is between two, or npm run audit will name it";
  const known = lead
    ? `the record says ${lead.state}${lead.stage ? `, last written by ${lead.stage}` : ""}`
    : "it is accepted, and not on record yet";
  return { id, tenant, where: "unknown", ...(lead?.stage ? { stage: lead.stage } : {}), text: `${known}; ${unseen}` };
}

function over(
  { state, stage, reason, mergedInto, updatedAt }: NonNullable<LeadFacts["lead"]>,
  mail: LeadFacts["mail"],
) {
  const how = mergedInto ? `merged into ${mergedInto}` : reason ? `${state} (${reason})` : state;
  return {
    where: "ended" as const,
    ...(stage ? { stage } : {}),
    ...(updatedAt ? { since: updatedAt } : {}),
    ...(mail?.dueAt === undefined ? {} : { waitsFor: "its moment" as const, until: mail.dueAt }),
    text: `${how}${stage ? ` in ${stage}` : ""}${updatedAt ? ` since ${time(updatedAt)}` : ""}. ${mail ? ofMail(mail) : "It waits for nothing"}`,
  };
}

function ofMail({ state, dueAt, reason }: NonNullable<LeadFacts["mail"]>): string {
  const why = reason === undefined ? "" : ` (${reason})`;
  return dueAt === undefined ? `Its e-mail: ${state}${why}` : `Its e-mail waits, due ${time(dueAt)}${why}`;
}

function onItsWay(sighting: Sighting, stage: StageFacts | undefined): Omit<Why, "id" | "tenant"> {
  const { place, lane, since, before, until, error, tries } = sighting;
  const name = sighting.stage ?? "";
  const common = { ...(sighting.stage ? { stage: name } : {}), lane, since };
  const after = error
    ? ` after ${tries} failed ${tries === 1 ? "try" : "tries"}, the last with ${error.type}: ${error.message}`
    : "";
  if (place === "intake")
    return {
      ...common,
      where: "intake",
      before,
      waitsFor: "admission",
      text: `in the intake since ${time(since)}, about ${before} leads of its tenant before it: it waits to be let in`,
    };
  if (place === "parked")
    return {
      ...common,
      where: "parked",
      waitsFor: "its moment",
      ...(until === undefined ? {} : { until }),
      text: `parked before ${name} (${lane}) since ${time(since)}${until === undefined ? "" : `, until ${time(until)}`}${after}`,
    };
  const at = `in the mailbox of ${name} (${lane}) since ${time(since)}, about ${before} leads before it${after}`;
  const found = { ...common, where: "mailbox" as const, before };
  const { state, by, why } = stage ?? {};
  const from = stage?.since === undefined ? "" : ` since ${time(stage.since)}`;
  const reason = why === undefined ? "" : `: ${why}`;
  switch (state) {
    case "paused":
      return {
        ...found,
        waitsFor: "a pause to end",
        text: `${at}. The stage is paused${by === undefined ? "" : ` by ${by}`}${from}${reason}`,
      };
    case "outage":
      return {
        ...found,
        waitsFor: "an outage to end",
        text: `${at}. The stage waits${from}${reason || " for an outage to end"}`,
      };
    case "slow":
      return { ...found, waitsFor: "its turn", text: `${at}. The stage is slow${from}${reason}` };
    case "absent":
      return { ...found, waitsFor: "an instance", text: `${at}. No instance of the stage runs` };
    case "silent":
      return { ...found, waitsFor: "an instance", text: `${at}. The stage's instances are given nothing${from}` };
    default: {
      const inHand = before < (stage?.unacknowledged ?? 0);
      return {
        ...found,
        waitsFor: "its turn",
        text: `${at}. ${inHand ? "An instance has it in hand, or has it next" : "It waits for its turn"}`,
      };
    }
  }
}
