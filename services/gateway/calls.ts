import { LeadsError } from "../../mixins/errors.ts";
import type { Call } from "../../mixins/http/call.ts";

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

/** The body's own fields: whose it is comes from the key, and which from the path. Throws `VALIDATION`. */
export function told({ json }: Call): object {
  const faults = ["tenant", "id"]
    .filter((field) => field in json)
    .map((field) => ({ field, message: "is no field here" }));
  if (faults.length > 0) throw new LeadsError("VALIDATION", "the body is wrong", { faults });
  return json;
}
