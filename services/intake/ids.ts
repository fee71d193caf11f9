import { hash } from "node:crypto";

/** Namespace of all derived ids. Never change it: every stored id hangs on it. */
const namespace = Buffer.from("5b0a1c0e6e0f4f0f9a3d2f6f1c7e4d21", "hex");

/**
 * UUID version 5 (RFC 9562 §5.5) of a kind and its parts. The parts are joined as JSON, so that no two lists of parts
 * read alike: ("a", "b:c") and ("a:b", "c") have different ids.
 */
export function derivedId(kind: string, ...parts: string[]): string {
  const name = Buffer.from(JSON.stringify([kind, ...parts]));
  const digest = hash("sha1", Buffer.concat([namespace, name]), "buffer");
  digest[6] = (digest[6]! & 0x0f) | 0x50;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  const hex = digest.toString("hex", 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Id of the lead that a source calls `sourceId`: told again, it is the same lead. */
export const leadIdOf = (tenant: string, source: string, sourceId: string): string =>
  derivedId("lead", tenant, source, sourceId);

/** Id of the lead that came with this idempotency key. */
export const leadIdOfKey = (tenant: string, idempotencyKey: string): string => derivedId("key", tenant, idempotencyKey);

/** Id of one import: the same file (by the SHA-256 of its bytes) for the same source is the same import. */
export const importIdOf = (tenant: string, source: string, fileHash: string): string =>
  derivedId("import", tenant, source, fileHash);

/** Id of the lead in a row without a source id: the same row of the same file is the same lead. */
export const leadIdOfRow = (importId: string, line: number): string => derivedId("row", importId, String(line));
