import type { OperationRow } from "../leads/operations.sql.ts";

/** What is told of nodes and of what operators did: what is not known is absent. */

interface Node {
  id: string;
  available: boolean;
  hostname?: string | null;
  ipList?: string[];
  cpu?: number | null;
  lastHeartbeatTime?: number;
  offlineSince?: number | null;
  client?: { version?: string; langVersion?: string };
  services?: { name: string; version?: number | string; fullName?: string }[];
}

/** A node of the registry. `now`: ms since 1970. */
export function shownNode(node: Node, now: number): object {
  const { id, available, hostname, ipList, cpu, client, services = [] } = node;
  const names = services.map(({ fullName, name }) => fullName ?? name).filter((name) => !name.startsWith("$"));
  return {
    id,
    available,
    ...(hostname ? { hostname } : {}),
    ...(ipList?.[0] ? { address: ipList[0] } : {}),
    ...(typeof cpu === "number" ? { cpuPercent: cpu } : {}),
    ...(client?.langVersion ? { node: client.langVersion } : {}),
    services: [...new Set(names)].sort(),
    toldAt: now,
  };
}

export function shownOperation({ tenant, result, endedAt, ...rest }: OperationRow): object {
  return {
    ...rest,
    ...(tenant === "" ? {} : { tenant }),
    ...(result === null ? {} : { result }),
    ...(endedAt === null ? {} : { endedAt }),
  };
}

/** Where a page of the log ends, as an opaque word. */
export function writeCursor({ at, id }: { at: number; id: string }): string {
  return Buffer.from(`${at} ${id}`).toString("base64url");
}

/** undefined for a word that is no cursor of ours. */
export function readCursor(cursor: string): { at: number; id: string } | undefined {
  const word = Buffer.from(cursor, "base64url").toString();
  const [, at, id] = /^(\d{1,15}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(word) ?? [];
  return at !== undefined && id !== undefined ? { at: Number(at), id } : undefined;
}
