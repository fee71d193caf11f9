import type { ServiceBroker } from "moleculer";
import { pauseStage, resumeStage } from "../../mixins/control.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { audit } from "../../services/leads/audit.ts";
import { dead } from "./dead.ts";
import { age, columns, duration, plain, size, time } from "./format.ts";
import { by, type Command, call, jsonOption, note, numberOf, tenantOption } from "./shared.ts";

/** The operators' commands of the console. */
export const commands: Command[] = [
  {
    command: "stages",
    description: "How every stage is: state, backlog, age, rate",
    options: [],
    async run(broker) {
      const json = await call(broker, "operations.stages");
      const rows = json.stages.map((s: any) => [
        s.name,
        s.state,
        s.instances.length,
        s.about ? `~${s.backlog}` : String(s.backlog),
        s.parked,
        age(s.oldestMs),
        s.rate,
        s.drainSeconds === null ? "never" : duration(s.drainSeconds * 1_000),
        [s.by && `by ${s.by}`, s.why].filter(Boolean).join(": "),
      ]);
      const { leads, oldestMs } = json.intake;
      const head = ["stage", "state", "instances", "backlog", "parked", "oldest", "leads/s", "drained in", "why"];
      return { json, text: `${columns([head, ...rows])}\nintake: about ${leads} leads, oldest ${age(oldestMs)}` };
    },
  },
  {
    command: "stage <name>",
    description: "One stage with its instances; pauses or resumes it",
    options: [
      { option: "--pause [reason...]", description: "stop all its instances from taking more" },
      { option: "--resume", description: "end the pause" },
    ],
    async run(broker, [name = ""], { pause, resume }) {
      const resources = resourcesOf(broker);
      if (![...resources.flow, ...resources.side].some((stage) => stage.name === name))
        throw new Error(`there is no stage ${plain(name)}`);
      const nc = await resources.nats();
      const reason = Array.isArray(pause) ? pause.join(" ") : "no reason given";
      if (pause) await pauseStage(nc, resources.names, name, { by, reason, at: Date.now() });
      if (resume) await resumeStage(nc, resources.names, name, by);
      const { stages } = await call(broker, "operations.stages");
      const json = stages.find((stage: any) => stage.name === name);
      // What was just done is true at once; the mailboxes are looked at once a second.
      if (pause) Object.assign(json, { state: "paused", by, why: reason });
      if (resume) return { json: { ...json, state: "resumed" }, text: `${name}: resumed` };
      const lanes = json.lanes.map((l: any) => [
        l.lane,
        l.ready,
        l.unacknowledged,
        l.parked,
        age(l.oldestMs),
        l.redelivered,
      ]);
      return {
        json,
        text: [
          `${name}: ${json.state}${json.since ? ` since ${time(json.since)}` : ""}${json.by ? ` by ${json.by}` : ""}${json.why ? `: ${plain(json.why)}` : ""}`,
          ...(json.runbook ? [`what to do: docs/operate.md#${json.runbook.toLowerCase()}`] : []),
          columns([["lane", "ready", "in hand", "parked", "oldest", "redelivered"], ...lanes]),
          ...json.instances.map((i: any) => `${i.node}: ${i.state} since ${time(i.since)}, ${i.inHand} leads in hand`),
        ].join("\n"),
      };
    },
  },
  {
    command: "lead <id>",
    description: "A lead and its timeline",
    options: [],
    async run(broker, [id = ""]) {
      const found = await Promise.all(
        (await tenantsOf(broker, id)).map((tenant) => call(broker, "leads.get", { tenant, id })),
      );
      note(id);
      const text = found.map((lead) =>
        [
          `${lead.tenant}  ${lead.leadId}  ${lead.state}${lead.reason ? ` (${plain(lead.reason)})` : ""}${lead.mergedInto ? ` into ${lead.mergedInto}` : ""}`,
          ...(lead.fields ? [`${plain(lead.fields.name)}  ${plain(lead.fields.website)}`] : []),
          ...(lead.timeline?.length
            ? [
                columns([
                  ["stage", "at", "waited ms", "worked ms", "outcome", "attempt"],
                  ...lead.timeline.map((e: any) => [
                    e.stage,
                    time(e.at),
                    e.waitedMs,
                    e.workedMs,
                    e.outcome,
                    e.attempt ?? 1,
                  ]),
                ]),
              ]
            : []),
        ].join("\n"),
      );
      return { json: found, text: text.join("\n") };
    },
  },
  {
    command: "why <id>",
    description: "Where a lead is, since when, and what it waits for",
    options: [],
    async run(broker, [id = ""]) {
      const json = await Promise.all(
        (await tenantsOf(broker, id)).map((tenant) => call(broker, "operations.why", { tenant, id, whole: true })),
      );
      note(id, ...json.map(({ letter }) => letter));
      return { json, text: json.map(({ tenant, text }) => `${tenant}: ${plain(text)}`).join("\n") };
    },
  },
  {
    command: "dead [words...]",
    description: "Dead letters: dead | dead show ID | dead redrive ID... | dead discard ID... | dead jobs",
    options: [
      tenantOption,
      { option: "--stage <name>", description: "that died in this stage" },
      { option: "--error <type>", description: "with this error" },
      { option: "--since <minutes>", description: "that died within the last so many minutes" },
      { option: "--all", description: "redrive or discard what the filter finds, instead of ids" },
      { option: "--patch <json>", description: "mend the lead's fields first" },
      { option: "--reason <words...>", description: "why they are discarded" },
      { option: "--rate <n>", description: "letters a second" },
      { option: "--limit <n>", description: "letters at the most" },
      { option: "--dry-run", description: "say what would be done" },
    ],
    run: dead,
  },
  {
    command: "streams",
    description: "Every stream and consumer",
    options: [],
    async run(broker) {
      const json = await call(broker, "operations.streams");
      const rows = json.streams.flatMap((s: any) => [
        [
          s.name,
          "",
          s.messages,
          "",
          "",
          age(s.oldestMs),
          size(s.bytes),
          s.limitBytes === null ? "-" : size(s.limitBytes),
        ],
        ...s.consumers.map((c: any) => [
          "",
          c.name,
          c.pending,
          c.unacknowledged,
          c.redelivered,
          age(c.oldestMs),
          "",
          "",
        ]),
      ]);
      const head = ["stream", "consumer", "messages", "in hand", "redelivered", "oldest", "store", "limit"];
      return { json, text: columns([head, ...rows]) };
    },
  },
  {
    command: "stream <name>",
    description: "The first messages of a stream; nothing is taken",
    options: [{ option: "--peek <n>", description: "so many (default 1)" }],
    async run(broker, [stream = ""], { peek = "1" }) {
      const json = await call(broker, "operations.peek", { stream, count: numberOf("peek", peek) });
      const text = json.map((m: any) =>
        [
          `#${m.seq}  ${time(m.at)}  ${m.subject}  ${m.bytes} bytes`,
          `  ${plain(JSON.stringify(m.headers))}`,
          `  ${plain(m.text)}`,
        ].join("\n"),
      );
      return { json, text: text.join("\n") || "it is empty" };
    },
  },
  {
    command: "audit",
    description: "Proves that no accepted lead is lost, or names those that are",
    options: [{ ...tenantOption }],
    async run(broker, _words, { tenant }) {
      const { nats, names, settings } = resourcesOf(broker);
      const json = await audit({ nats: await nats(), names, settings, ...(tenant === undefined ? {} : { tenant }) });
      const { ok, broken, tenants: _tenants, ...terms } = json;
      note(...broken.slice(0, 100));
      const lines = Object.entries(terms).map(([term, count]) => [term, count]);
      return {
        json,
        text: `${columns([["term", "leads"], ...lines])}\nconservation: ${ok ? "ok" : `broken by\n${broken.slice(0, 100).join("\n")}`}`,
      };
    },
  },
  {
    command: "operations",
    description: "What operators did: who, when, what, on what",
    options: [tenantOption, { option: "--limit <n>", description: "so many (default 20)" }],
    async run(broker, _words, { tenant = "*", limit = "20" }) {
      const json = await call(broker, "operations.list", { tenant, limit: numberOf("limit", limit) });
      const rows = json.items.map((o: any) => [
        time(o.at),
        o.by,
        o.what,
        o.target,
        o.tenant ?? "-",
        o.result ?? "unknown",
      ]);
      return { json, text: columns([["at", "by", "what", "on", "tenant", "result"], ...rows]) };
    },
  },
  {
    command: "drain <node>",
    description: "Ends a node in order: it finishes or hands back what it has in hand",
    options: [],
    async run(broker, [nodeID = ""]) {
      const json = await broker.call<object, object>("node.drain", { by }, { nodeID, retries: 0 });
      return { json, text: `${nodeID} leaves` };
    },
  },
];

/** Throws where nobody has such a lead. */
async function tenantsOf(broker: ServiceBroker, id: string): Promise<string[]> {
  const tenants: string[] = await call(broker, "operations.tenants", { id: id.toLowerCase() });
  if (tenants.length === 0) throw new Error(`there is no lead ${plain(id)}`);
  return tenants;
}

/** The commands as moleculer-repl takes them. It gives an action one word only, so that the line is read here. */
export const customCommands = commands.map(({ command, description, options, run }) => ({
  command,
  description,
  options: [...options, jsonOption],
  parse(line: { args: string[]; _optionValues: object; params?: object }) {
    line.params = { words: line.args, options: { ...line._optionValues } };
  },
  async action(broker: ServiceBroker, { words, options }: { words: string[]; options: Record<string, any> }) {
    try {
      const shown = await run(broker, words, options);
      console.log(options["json"] ? JSON.stringify(shown.json) : shown.text);
    } catch (error) {
      console.log(`error: ${plain((error as Error).message)}`);
    }
  },
}));
