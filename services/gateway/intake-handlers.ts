import type { Service } from "moleculer";
import type { Acceptor, Origin } from "../../mixins/accept.ts";
import type { Erased } from "../../mixins/erased.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import { errorTypeOf } from "../../mixins/http/problem.ts";
import { type Claim, fingerprint, type IdempotencyKeys } from "../../mixins/idempotency.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { parseMap, RowsError } from "../intake/columns.ts";
import { importIdOf } from "../intake/ids.ts";
import { erasedFault, marksOf } from "../intake/marks.ts";
import { normalise } from "../intake/normalise.ts";
import type { IntakeContext } from "../intake/raw.ts";
import { Revisions } from "../intake/revisions.ts";
import { readRows } from "../intake/rows.ts";
import { uuidv7 } from "../intake/uuidv7.ts";
import type { Lead } from "../leads/lead.ts";
import { idempotencyKeyOf, pick } from "./calls.ts";
import type { Tells } from "./tellers.ts";
import { Upload } from "./upload.ts";

/** What taking leads in needs of the gateway. */
export interface TakesIn {
  acceptor: Acceptor;
  idempotency: IdempotencyKeys;
  /** Who was erased lately; undefined until NATS has told. */
  erased: Erased | undefined;
}
type Gateway = Service & TakesIn & Tells;

/** What answers the operations by which leads come in. */
export const intakeHandlers: Handlers<"createLead" | "createLeads", Gateway> = {
  async createLead(call) {
    const { tenant } = call;
    const key = idempotencyKeyOf(call);
    const result = normalise(call.json, contextOf(this, call, { source: "api", idempotencyKey: key }));
    if ("faults" in result) throw new LeadsError("VALIDATION", "this is no lead", { faults: result.faults });
    const { lead } = result;
    if (this.erased?.hasAny(tenant, () => marksOf(lead)))
      throw new LeadsError("ERASED", "the person asked to be erased");
    if (key === undefined) {
      await this.acceptor.one(lead, originOf(call));
      return accepted(lead.leadId);
    }
    const { leadId, revision } = lead;
    const mine: Claim = { body: fingerprint(call.raw), leadId, revision, requestId: call.requestId, done: false };
    const claim = await this.idempotency.claim(tenant, key, mine);
    if (!claim.done) {
      // Whoever repeats an unfinished request publishes the very envelope that the first one did, or died before it did.
      const origin = { ...originOf(call), requestId: claim.requestId };
      await this.acceptor.one({ ...lead, revision: claim.revision }, origin);
      await this.idempotency.settle(tenant, key, claim).catch((error) => this.logger.debug("not settled", error));
    }
    return accepted(claim.leadId);
  },

  async createLeads(call) {
    const { tenant, query } = call;
    const { settings } = resourcesOf(this.broker);
    const key = idempotencyKeyOf(call);
    const source = String(query["source"] ?? "upload");
    const importId = key === undefined ? uuidv7() : importIdOf(tenant, source, `key ${key}`);
    const origin = { ...originOf(call), importId };
    const upload = new Upload(importId, this.acceptor.bulk<Lead>(origin, { fullForMs: settings.uploadWaitMs }));
    const context = contextOf(this, call, { source, ...pick(query, "areaCode", "vertical") });
    const revisions = new Revisions();
    const told = this.tellImport({ tenant, importId }, () => upload.counts);
    try {
      const rows = readRows(call.chunks(), {
        format: call.mediaType === "text/csv" ? "csv" : "ndjson",
        rowLimitBytes: settings.rowLimitBytes,
        needsSource: query["source"] === undefined,
        ...(query["map"] === undefined ? {} : { map: parseMap(String(query["map"])) }),
      });
      const end = await upload.take(
        rows,
        ({ line, raw }) => {
          const read = normalise(raw, {
            ...context,
            now: Date.now(),
            ...(key === undefined ? {} : { idempotencyKey: `${key} ${line}` }),
          });
          if (!("lead" in read)) return read;
          const { lead } = read;
          if (this.erased?.hasAny(tenant, () => marksOf(lead))) return { faults: [erasedFault] };
          lead.revision = revisions.next(lead.leadId, lead.revision);
          return read;
        },
        call.leaving,
      );
      if (end === "cut")
        throw new LeadsError("OUTAGE", "the gateway leaves", { dependency: "gateway", retryAfterMs: 1_000 });
      return { json: upload.counts };
    } catch (error) {
      const { counts } = upload;
      this.logger.info("an upload ended early", {
        requestId: call.requestId,
        importId,
        rows: counts.rows,
        accepted: counts.accepted,
      });
      throw early(error, counts);
    } finally {
      told.end();
    }
  },
};

const accepted = (id: string) => ({
  status: 202,
  headers: { Location: `/v1/leads/${id}` },
  json: { id, status: "queued" },
});

function originOf({ tenant, requestId, traceparent }: Call): Origin {
  return { tenant, requestId, traceparent };
}

function contextOf(
  { broker }: Gateway,
  { tenant }: Call,
  told: { source: string; idempotencyKey?: string | undefined; areaCode?: string; vertical?: string },
): IntakeContext {
  const { idempotencyKey, ...rest } = told;
  return {
    tenant,
    trust: "imported",
    defaultRegion: resourcesOf(broker).settings.defaultRegion,
    now: Date.now(),
    newId: () => uuidv7(),
    ...rest,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

/** What ended an upload, with the counts so far, so that the caller can go on from there. */
function early(error: unknown, counts: object): unknown {
  if (error instanceof RowsError) return new LeadsError("VALIDATION", error.message, { faults: error.faults, counts });
  const type = errorTypeOf(error);
  if (type === "INTERNAL") return error;
  const { message, data } = error as LeadsError;
  return new LeadsError(type, message, { ...data, counts });
}
