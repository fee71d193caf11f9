import type { Service } from "moleculer";
import type { Handlers } from "../../mixins/http/call.ts";
import { idOf, logged, told } from "./calls.ts";
import type { reviewOperations } from "./review-operations.ts";

/** What answers the operations about doubles: the `dedupe` service does, this passes on. */
export const reviewHandlers: Handlers<(typeof reviewOperations)[number]["id"], Service> = {
  async listReviews({ ctx, query, tenant }) {
    return { json: await ctx.call("dedupe.reviews", { ...query, tenant }) };
  },
  async decideReview(call) {
    const id = idOf(call, "review");
    return logged(this.broker, call, "review.decide", ["decision"], async () => ({
      json: await call.ctx.call("dedupe.decide", { ...told(call), tenant: call.tenant, id }),
    }));
  },
  async unmergeLead(call) {
    const id = idOf(call, "lead");
    return logged(this.broker, call, "lead.unmerge", [], async () => ({
      json: await call.ctx.call("dedupe.unmerge", { tenant: call.tenant, id }),
    }));
  },
};
