import type { ServiceBroker } from "moleculer";
import { LeadsError } from "../../mixins/errors.ts";
import type { Call } from "../../mixins/http/call.ts";
import type { Answer } from "../../mixins/http/send.ts";
import { operated } from "../../mixins/operation-log.ts";
import { resourcesOf } from "../../mixins/resources.ts";

/** What several handlers need. */

/** A page that shows what strangers' sites say must not run anything, nor fetch anything, nor post anywhere. */
export const mockupPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The lead's id in the path, lower case. Throws `NOT_FOUND` for what is none. */
export const leadIdOf = (call: Call): string => idOf(call, "lead");

/** The id in the path of a `thing`, lower case. Throws `NOT_FOUND` for what is none. */
export function idOf({ params }: Call, thing: string): string {
  if (!uuid.test(params["id"]!)) throw new LeadsError("NOT_FOUND", `there is no such ${thing}`);
  return params["id"]!.toLowerCase();
}

/** Who asks, as the log of operations says it. */
export const whoOf = ({ key }: Pick<Call, "key">): string =>
  `key ${key!.id}${key!.label ? ` (${key!.label})` : ""}`.slice(0, 100);

/**
 * Does what an operator asks of a service that keeps no log itself, with its line in the log. Of the body `fields` alone are
 * written down, and of those no more than words and figures: it is not checked yet, and the log is kept for LEADS_OPERATION_DAYS.
 */
export async function logged(
  broker: ServiceBroker,
  call: Call,
  what: string,
  fields: readonly string[],
  act: () => Promise<Answer>,
): Promise<Answer> {
  const { nats, names } = resourcesOf(broker);
  const { tenant, params, json } = call;
  const detail = Object.fromEntries(
    fields.filter((field) => field in json && isShort(json[field])).map((field) => [field, json[field]]),
  );
  const operation = { tenant, by: whoOf(call), what, target: Object.values(params).join(" "), detail };
  return operated(await nats(), names, operation, act);
}

const isShort = (value: unknown) => typeof value !== "object" && String(value).length <= 64;

/** The body's own fields: whose it is comes from the key, and which from the path. Throws `VALIDATION`. */
export function told({ json }: Call): object {
  const faults = ["tenant", "id"]
    .filter((field) => field in json)
    .map((field) => ({ field, message: "is no field here" }));
  if (faults.length > 0) throw new LeadsError("VALIDATION", "the body is wrong", { faults });
  return json;
}

/** A lead as the API shows it. */
export function shown({ leadId, state, tenant: _tenant, revision: _revision, ...rest }: any): object {
  return { id: leadId, status: state, ...rest };
}

/** Those of the query that were given, as text. */
export function pick(query: Call["query"], ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (query[name] === undefined ? [] : [[name, String(query[name])]])));
}

/** 1 to 255 printable ASCII characters, or none. */
export function idempotencyKeyOf(call: Call): string | undefined {
  const key = call.header("Idempotency-Key");
  if (key === undefined || /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new LeadsError("MALFORMED", "an Idempotency-Key is 1 to 255 printable ASCII characters");
}
