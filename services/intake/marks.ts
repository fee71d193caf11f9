import { hash } from "node:crypto";

/**
 * What a lead is known again by after its person was erased: its id and the hashes of its contacts, as the database makes
 * them (`lead_marks`, which knows two more, of name and place). A test holds the two against each other.
 */
export function marksOf({ tenant, leadId, fields }: Marked): string[] {
  const { email, phone } = fields;
  return [
    leadId,
    ...(email ? [mark(tenant, "email", email.toLowerCase())] : []),
    ...(phone ? [mark(tenant, "phone", phone)] : []),
  ];
}

export interface Marked {
  tenant: string;
  leadId: string;
  fields: { email?: string; phone?: string };
}

/** What a row of an upload is refused with. */
export const erasedFault = { field: "lead", message: "erased" };

/** First 128 bits of SHA-256, as a UUID. */
function mark(tenant: string, kind: string, value: string): string {
  const hex = hash("sha256", `${tenant}\n${kind}\n${value}`);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
