import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Service } from "moleculer";
import { pauseStage, resumeStage } from "../../mixins/control.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import type { EventHub } from "../../mixins/http/events.ts";
import type { Answer } from "../../mixins/http/send.ts";
import { type Resources, resourcesOf } from "../../mixins/resources.ts";
import { leadIdOf, whoOf } from "./calls.ts";
import type { operateOperations } from "./operate-operations.ts";
import { runbookOf } from "./runbook.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What to do, in the words of the page for those who operate it: they stand nowhere else. */
const sections = runbookOf(readFileSync(join(import.meta.dirname, "..", "..", "docs", "operate.md"), "utf8"));

/** What answers operators: the services `dead-letters` and `operations` do, this says whose and passes on. */
export const operateHandlers: Handlers<(typeof operateOperations)[number]["id"], Service & { hub: EventHub }> = {
  async listDeadLetters(call) {
    return { json: await call.ctx.call("dead-letters.list", { ...call.query, tenant: reachOf(call) }) };
  },
  async countDeadLetters(call) {
    return { json: await call.ctx.call("dead-letters.counts", { tenant: reachOf(call) }) };
  },
  async getDeadLetter(call) {
    const id = call.params["id"]!;
    if (!/^[1-9]\d{0,14}-[0-9a-z]{1,10}$/.test(id)) throw new LeadsError("NOT_FOUND", "there is no such dead letter");
    return { json: await call.ctx.call("dead-letters.get", { tenant: reachOf(call), id }) };
  },
  redriveDeadLetters: (call) => jobOf(call, "dead-letters.redrive"),
  discardDeadLetters: (call) => jobOf(call, "dead-letters.discard"),
  async listDeadLetterJobs(call) {
    return { json: await call.ctx.call("dead-letters.jobs", { ...call.query, tenant: reachOf(call) }) };
  },
  async getDeadLetterJob(call) {
    return { json: await call.ctx.call("dead-letters.job", { tenant: reachOf(call), id: jobIdOf(call) }) };
  },
  async cancelDeadLetterJob(call) {
    const params = { tenant: reachOf(call), id: jobIdOf(call), by: whoOf(call) };
    return { json: await call.ctx.call("dead-letters.cancel", params) };
  },
  async whyLead(call) {
    const whole = call.key!.scopes.includes("platform");
    return { json: await call.ctx.call("operations.why", { tenant: call.tenant, id: leadIdOf(call), whole }) };
  },
  async listOperations(call) {
    return { json: await call.ctx.call("operations.list", { ...call.query, tenant: reachOf(call) }) };
  },
  async listStages({ ctx }) {
    return { json: await ctx.call("operations.stages") };
  },
  async stageHistory({ ctx, query }) {
    return { json: await ctx.call("operations.history", query) };
  },
  getRunbook: () => ({ json: { sections } }),
  async pauseStage(call) {
    const resources = resourcesOf(this.broker);
    const stage = stageOf(resources, call);
    const { reason, ...rest } = call.json;
    if (typeof reason !== "string" || reason.length === 0 || reason.length > 500 || Object.keys(rest).length > 0) {
      const message = "the body is { reason }, 1 to 500 characters";
      throw new LeadsError("VALIDATION", message, { faults: [{ field: "reason", message }] });
    }
    await pauseStage(await resources.nats(), resources.names, stage, { by: whoOf(call), reason, at: Date.now() });
    return { json: { stage, state: "paused" } };
  },
  async resumeStage(call) {
    const resources = resourcesOf(this.broker);
    const stage = stageOf(resources, call);
    await resumeStage(await resources.nats(), resources.names, stage, whoOf(call));
    return { json: { stage, state: "resumed" } };
  },
  async listStreams({ ctx }) {
    return { json: await ctx.call("operations.streams") };
  },
  async listNodes({ ctx }) {
    return { json: await ctx.call("operations.nodes") };
  },
  events(call) {
    const { hub } = this;
    const key = call.key!;
    if (!hub.hasRoom(key.id)) throw new LeadsError("RATE_LIMITED", "too many streams of events are open");
    const platform = key.scopes.includes("platform");
    const listener = { keyId: key.id, tenant: key.tenant, platform, isValid: call.isValid };
    return { events: (res) => hub.open(res, listener) };
  },
};

/** Whose things are meant: the key's own, or, by a platform key, another tenant's or all. Throws `FORBIDDEN`. */
export function reachOf({ key, tenant, query }: Pick<Call, "key" | "tenant" | "query">): string {
  const asked = query["tenant"];
  if (asked === undefined || asked === tenant) return tenant;
  if (!key?.scopes.includes("platform"))
    throw new LeadsError("FORBIDDEN", "another tenant's things take a key with the scope platform");
  return String(asked);
}

/** The body goes as it is: the service checks it. Who asks, and whose it is, come from the key. */
async function jobOf(call: Call, action: string): Promise<Answer> {
  const { tenant: asked, ...body } = call.json;
  const faults = ["by", "id"].filter((field) => field in body).map((field) => ({ field, message: "is no field here" }));
  if (faults.length > 0) throw new LeadsError("VALIDATION", "the body is wrong", { faults });
  const tenant = reachOf({ ...call, query: asked === undefined ? {} : { tenant: String(asked) } });
  // The call is made again when its answer is lost: with its id it is one job all the same.
  const params = { ...body, tenant, by: whoOf(call), id: randomUUID() };
  const json = await call.ctx.call<object, object>(action, params);
  return { status: "dryRun" in json ? 200 : 202, json };
}

function jobIdOf({ params }: Call): string {
  if (!uuid.test(params["job"]!)) throw new LeadsError("NOT_FOUND", "there is no such job");
  return params["job"]!.toLowerCase();
}

function stageOf({ flow, side }: Resources, { params }: Call): string {
  const stage = [...flow, ...side].find(({ name }) => name === params["name"]);
  if (!stage) throw new LeadsError("NOT_FOUND", `there is no such stage`);
  return stage.name;
}
