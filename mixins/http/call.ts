import type { Context } from "moleculer";
import type { ApiKey } from "../keys.ts";
import type { Operation } from "./operation.ts";
import type { Value } from "./query.ts";
import type { Answer } from "./send.ts";

/** A request that was let in, with everything checked that the operation's row declares. */
export interface Call {
  ctx: Context;
  operation: Operation;
  /** The key's tenant: it comes from nowhere else. "" where the operation needs no key. */
  tenant: string;
  /** null where the operation needs none. */
  key: ApiKey | null;
  /** Is the request's key still good? */
  isValid(): boolean;
  requestId: string;
  /** What comes of the request is a part of its span. */
  traceparent: string;
  params: Record<string, string>;
  query: Record<string, Value>;
  header(name: string): string | undefined;
  /** The media type of the body. */
  mediaType: string;
  /** The body as it came, and as JSON. */
  raw: Buffer;
  json: Record<string, unknown>;
  /** An upload's body. */
  chunks(): AsyncGenerator<Buffer>;
  /** Aborted when the gateway leaves: an upload ends with what it has. */
  leaving: AbortSignal;
}

/** What answers each operation. */
export type Handlers<Id extends string, This> = Record<Id, (this: This, call: Call) => Promise<Answer> | Answer>;
