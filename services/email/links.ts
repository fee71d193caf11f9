import { createHmac, timingSafeEqual } from "node:crypto";

/**
 * Signed links for people who have no key. A link says all that is needed to act on it, so that an unsubscription needs
 * no row of ours to be there still:
 *
 *   purpose (1 byte) · day it was made, since 1970 (2) · what it is about · HMAC-SHA256 of all that, its first 16 bytes
 *
 * in base64url. 128 bits cannot be guessed; purpose and day are signed too.
 */
export type Linked =
  | { purpose: "unsubscribe"; tenant: string; address: Buffer }
  | { purpose: "mockup"; tenant: string; leadId: string };

const purposes = { unsubscribe: 0x75, mockup: 0x6d } as const;
const macBytes = 16;
const dayMs = 86_400_000;

/** A link's word, signed with the first secret. `now`: ms since 1970. */
export function signLink(linked: Linked, secrets: readonly string[], now: number): string {
  const head = Buffer.alloc(3);
  head[0] = purposes[linked.purpose];
  head.writeUInt16BE(Math.floor(now / dayMs), 1);
  const subject =
    linked.purpose === "unsubscribe" ? linked.address : Buffer.from(linked.leadId.replaceAll("-", ""), "hex");
  const said = Buffer.concat([head, subject, Buffer.from(linked.tenant)]);
  return Buffer.concat([said, macOf(said, secrets[0]!)]).toString("base64url");
}

/**
 * What a link says, or undefined for one that nobody signed, or with a secret that is no longer accepted, or that is
 * older than `days`, or of another purpose.
 */
export function readLink<P extends Linked["purpose"]>(
  purpose: P,
  word: string,
  { secrets, days, now }: { secrets: readonly string[]; days: number; now: number },
): Extract<Linked, { purpose: P }> | undefined {
  const bytes = Buffer.from(word, "base64url");
  const subjectBytes = purpose === "unsubscribe" ? 32 : 16;
  // Buffer.from skips what is no base64url: only the one spelling of the bytes is a link.
  if (bytes.length <= 3 + subjectBytes + macBytes || bytes.toString("base64url") !== word) return undefined;
  const said = bytes.subarray(0, -macBytes);
  const mac = bytes.subarray(-macBytes);
  if (!secrets.some((secret) => timingSafeEqual(macOf(said, secret), mac))) return undefined;
  const age = Math.floor(now / dayMs) - said.readUInt16BE(1);
  if (said[0] !== purposes[purpose] || age > days || age < -1) return undefined;
  const subject = said.subarray(3, 3 + subjectBytes);
  const tenant = said.subarray(3 + subjectBytes).toString();
  const linked: Linked =
    purpose === "unsubscribe"
      ? { purpose: "unsubscribe", tenant, address: Buffer.from(subject) }
      : { purpose: "mockup", tenant, leadId: uuidOf(subject) };
  return linked as Extract<Linked, { purpose: P }>;
}

function macOf(said: Buffer, secret: string): Buffer {
  return createHmac("sha256", secret).update(said).digest().subarray(0, macBytes);
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
