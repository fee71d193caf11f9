import type { Service } from "moleculer";
import { screenshotKey } from "../../config/names.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Handlers } from "../../mixins/http/call.ts";
import { ObjectStore } from "../../mixins/object-store.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { leadIdOf, logged, told } from "./calls.ts";
import type { tierOperations } from "./tier-operations.ts";

/** What answers the operations about tiers: the record has the choice, the object store the pictures. */
export const tierHandlers: Handlers<(typeof tierOperations)[number]["id"], Service> = {
  async getScreenshot(call) {
    const { nats, names } = resourcesOf(this.broker);
    // From here, not through a service: between services a picture would be one large message of text.
    const store = new ObjectStore(nats, names.objects.screenshots);
    const bytes = await store.get(screenshotKey(call.tenant, leadIdOf(call)));
    if (bytes === null) throw new LeadsError("NOT_FOUND", "there is no picture of this lead's site");
    return { bytes, type: "image/jpeg" };
  },
  async getSettings({ ctx, tenant }) {
    return { json: await ctx.call("leads.settings", { tenant }) };
  },
  changeSettings(call) {
    return logged(this.broker, call, "settings.change", ["tier"], async () => ({
      json: await call.ctx.call("leads.choose", { ...told(call), tenant: call.tenant }),
    }));
  },
};
