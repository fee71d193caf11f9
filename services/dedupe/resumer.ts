import { randomBytes, randomUUID } from "node:crypto";
import { nextStage } from "../../config/pipeline.ts";
import { type Envelope, pack, type Route } from "../../mixins/actor/envelope.ts";
import { isOutage } from "../../mixins/actor/outage.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { statement } from "../../mixins/knex.ts";
import type { Resources } from "../../mixins/resources.ts";
import type { Lead } from "../leads/lead.ts";
import { endResume, readResumes } from "./resumes.sql.ts";
import { stageToResume } from "./way.ts";

/** How long JetStream may take to answer before it is left for the next look. */
const timeoutMs = 5_000;
/** Leads a look takes at the most. */
const batch = 100;

/**
 * Puts leads that an unmerge has set free back into a mailbox. A lead is taken off its list after JetStream has it, so
 * that a crash publishes it again, which every stage bears. Any number may do this at once.
 */
export class Resumer {
  readonly #resources: Resources;
  readonly #onFault: (error: Error) => void;
  #publisher: Publisher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  /** The last look failed, and that was told. */
  #failing = false;

  /** `onFault`: the first of several looks in a row that failed. */
  constructor(resources: Resources, onFault: (error: Error) => void) {
    this.#resources = resources;
    this.#onFault = onFault;
  }

  /** Looks now, and every `everyMs`: for what was left by one that died, or while JetStream was down. */
  start(everyMs: number): void {
    this.#timer = setInterval(() => this.#look(), everyMs);
    this.#look();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    this.#publisher?.close();
  }

  /** One lead at once. Throws when it could not be done; a later look will. */
  async resume(one: { tenant: string; leadId: string }): Promise<void> {
    const knex = this.#resources.databases.of(one.tenant);
    for (const lead of await statement(() => readResumes(knex, 1, one))) await this.#put(lead);
  }

  #look(): void {
    this.#looking ??= this.#lookAll()
      .then(
        () => {
          this.#failing = false;
        },
        (error: Error) => {
          if (!this.#failing) this.#onFault(error);
          this.#failing = true;
        },
      )
      .finally(() => {
        this.#looking = undefined;
      });
  }

  /** One that cannot be published holds up none of those behind it; an outage all of them. */
  async #lookAll(): Promise<void> {
    const failures: Error[] = [];
    for (const { knex } of this.#resources.databases.all())
      for (const lead of await statement(() => readResumes(knex, batch)))
        await this.#put(lead).catch((error: Error) => {
          if (isOutage(error)) throw error;
          failures.push(error);
        });
    if (failures[0]) throw failures[0];
  }

  async #put(lead: Lead): Promise<void> {
    const { names, flow, nats, databases } = this.#resources;
    const stage = stageToResume(lead.timeline, flow, (name) => nextStage(name, flow)) ?? flow.at(-1)!.name;
    const route: Route = {
      tenant: lead.tenant,
      lane: "live",
      requestId: randomUUID(),
      traceparent: `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-00`,
    };
    const [envelope] = pack(route, [{ lead }]) as [Envelope];
    this.#publisher ??= new Publisher(await nats());
    await this.#publisher.publish(names.mailbox(stage).subject("live"), envelope.data, envelope.headers, {
      full: "throw",
      timeoutMs,
    });
    await statement(() => endResume(databases.of(lead.tenant), lead));
  }
}
