import type { Service } from "moleculer";
import type { Handlers } from "../../mixins/http/call.ts";
import { idOf, leadIdOf, logged } from "./calls.ts";
import type { rightsOperations } from "./rights-operations.ts";

/** What answers the operations about a person's rights: the `rights` service does, this passes on. */
export const rightsHandlers: Handlers<(typeof rightsOperations)[number]["id"], Service> = {
  async eraseLead(call) {
    const id = leadIdOf(call);
    return logged(this.broker, call, "lead.erase", [], async () => ({
      json: await call.ctx.call("rights.erase", { tenant: call.tenant, id }),
    }));
  },
  async listTombstones({ ctx, tenant, query }) {
    return { json: await ctx.call("rights.list", { ...query, tenant }) };
  },
  async liftTombstone(call) {
    const id = idOf(call, "tombstone");
    return logged(this.broker, call, "tombstone.lift", [], async () => ({
      json: await call.ctx.call("rights.lift", { tenant: call.tenant, id }),
    }));
  },
};
