import { type ErrorType, errorTable } from "../errors.ts";
import type { Fault } from "./query.ts";

/** Problem details, RFC 9457. `instance` is the request id; `faults` names each field that is wrong. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  faults?: Fault[];
  [extension: string]: unknown;
}

/** Seconds that a 503 asks the caller to wait, where the error does not say. */
const retryAfterS = 5;

/** Moleculer's own errors, by type, as ours. An action that nobody offers is an outage, not a thing that is missing. */
const foreign: Record<string, ErrorType> = {
  SERVICE_NOT_FOUND: "OUTAGE",
  SERVICE_NOT_AVAILABLE: "OUTAGE",
  SERVICE_UNAVAILABLE: "OUTAGE",
  REQUEST_TIMEOUT: "OUTAGE",
  REQUEST_REJECTED: "OUTAGE",
  QUEUE_FULL: "OUTAGE",
  BROKER_DISCONNECTED: "OUTAGE",
  VALIDATION_ERROR: "VALIDATION",
  ENTITY_NOT_FOUND: "NOT_FOUND",
  UNABLE_DECODE_PARAM: "MALFORMED",
};

interface Thrown {
  type?: unknown;
  message?: unknown;
  data?: unknown;
}

/** The row of the error table that an error belongs to; `INTERNAL` for what nobody foresaw. By type: classes are lost between nodes. */
export function errorTypeOf(error: unknown): ErrorType {
  const type = (error as Thrown | null)?.type;
  if (typeof type !== "string") return "INTERNAL";
  if (Object.hasOwn(errorTable, type)) return type as ErrorType;
  return Object.hasOwn(foreign, type) ? foreign[type]! : "INTERNAL";
}

/** What an error says to the caller: our words for faults of ours, the error's own for faults of the caller's. */
export function problemOf(error: unknown, instance: string): { problem: Problem; headers: Record<string, string> } {
  const type = errorTypeOf(error);
  const { status, text } = errorTable[type];
  const { message, data: raw } = (error ?? {}) as Thrown;
  const data = (raw !== null && typeof raw === "object" ? raw : {}) as Record<string, unknown>;
  const faults = faultsOf(raw);
  const dependency = dependencyOf(data);
  const headers: Record<string, string> = {};
  if (status === 503 || status === 429) {
    const ms = typeof data["retryAfterMs"] === "number" ? data["retryAfterMs"] : retryAfterS * 1_000;
    headers["Retry-After"] = String(Math.max(1, Math.ceil(ms / 1_000)));
  }
  if (status === 401) headers["WWW-Authenticate"] = 'Bearer realm="leads"';
  if (Array.isArray(data["allow"])) headers["Allow"] = data["allow"].join(", ");
  return {
    headers,
    problem: {
      type: `urn:leadfactory:error:${type.toLowerCase().replaceAll("_", "-")}`,
      title: text.split(/[;.]/)[0]!,
      status,
      detail: detailOf(type, message, dependency),
      instance,
      ...(dependency === undefined ? {} : { dependency }),
      ...(faults ? { faults } : {}),
      ...(isObject(data["counts"]) ? data["counts"] : {}),
    },
  };
}

/** A fault of ours may name hosts and files in its message: it goes to the log, not out. */
function detailOf(type: ErrorType, message: unknown, dependency: string | undefined): string {
  const { status, text } = errorTable[type];
  if (status < 500 && typeof message === "string") return message;
  return type === "OUTAGE" ? `${dependency ?? "something the mesh stands on"} is down; try again later` : text;
}

/** What an outage says is down; of a call that found nobody, the service that was called. */
function dependencyOf({ dependency, action }: Record<string, unknown>): string | undefined {
  if (typeof dependency === "string") return dependency;
  return typeof action === "string" ? action.split(".").slice(0, -1).join(".") : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object";

/** `data.faults` of ours, or the list that Moleculer's validator gives. */
function faultsOf(data: unknown): Fault[] | undefined {
  const list = Array.isArray(data) ? data : isObject(data) ? data["faults"] : undefined;
  if (!Array.isArray(list)) return undefined;
  return list
    .filter(isObject)
    .map(({ field, message }) => ({ field: String(field ?? ""), message: String(message ?? "is wrong") }));
}
