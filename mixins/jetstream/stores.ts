/**
 * Streams that are stores of another kind, as the clients know them
 * (https://github.com/nats-io/nats-architecture-and-design, ADR-8 and ADR-20). `discard: new`, so that a full one takes no
 * more: with `old` an object store would drop single chunks out of the middle of what it holds.
 */
const store = { storage: "file", discard: "new", allow_direct: true, allow_rollup_hdrs: true } as const;

/** The stream of a key-value bucket. */
export function bucketStream(bucket: string, limits: { max_age?: number; max_bytes?: number }) {
  return {
    ...store,
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    max_msgs_per_subject: 1,
    deny_delete: true,
    duplicate_window: 120e9,
    ...limits,
  };
}

/** The stream of an object store: chunks, and what they are of. */
export function objectStream(name: string, days: number, maxBytes: number) {
  return {
    ...store,
    name: `OBJ_${name}`,
    subjects: [`$O.${name}.C.>`, `$O.${name}.M.>`],
    max_age: days * 86_400e9,
    max_bytes: maxBytes,
  };
}
