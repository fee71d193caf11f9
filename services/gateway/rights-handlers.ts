import type { Service } from "moleculer";
import type { Handlers } from "../../mixins/http/call.ts";
import { idOf, leadIdOf } from "./calls.ts";
import type { rightsOperations } from "./rights-operations.ts";

/** What answers the operations about a person's rights: the `rights` service does, this passes on. */
export const rightsHandlers: Handlers<(typeof rightsOperations)[number]["id"], Service> = {
  async eraseLead(call) {
    return { json: await call.ctx.call("rights.erase", { tenant: call.tenant, id: leadIdOf(call) }) };
  },
  async listTombstones({ ctx, tenant, query }) {
    return { json: await ctx.call("rights.list", { ...query, tenant }) };
  },
  async liftTombstone(call) {
    return { json: await call.ctx.call("rights.lift", { tenant: call.tenant, id: idOf(call, "tombstone") }) };
  },
};
