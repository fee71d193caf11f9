import type { LookupAddress } from "node:dns";
import { Resolver } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { isPublicAddress } from "./address-guard.ts";

/** All addresses of a name, A and AAAA. */
export type Resolve = (hostname: string) => Promise<string[]>;

/** A failure to get from a name to addresses that may be connected to. */
export class LookupError extends Error {
  readonly code: string;
  constructor(code: string, hostname: string) {
    super(`${hostname}: ${code}`);
    this.name = "LookupError";
    this.code = code;
  }
}

/**
 * Asks the name servers themselves (c-ares): no hosts file, no search domains, and, unlike `dns.lookup`, not in one of
 * the process's four threads, where a few slow names would hold up all others.
 */
export function resolver(timeoutMs: number): Resolve {
  const servers = new Resolver({ timeout: timeoutMs, tries: 2 });
  return async (hostname) => {
    const answers = await Promise.allSettled([servers.resolve4(hostname), servers.resolve6(hostname)]);
    const addresses = answers.flatMap((a) => (a.status === "fulfilled" ? a.value : []));
    if (addresses.length > 0) return addresses;
    const codes = answers.map((a) => String((a as PromiseRejectedResult).reason?.code ?? "ESERVFAIL"));
    const definite = (code: string) => code === "ENOTFOUND" || code === "ENODATA";
    // Both must say so: "no AAAA" beside a name server that is silent on A is no answer.
    const code = codes.every(definite) ? "ENOTFOUND" : codes.find((c) => !definite(c))!;
    throw new LookupError(code === "ECONNREFUSED" ? "ECONNREFUSED_DNS" : code, hostname);
  };
}

/**
 * A `lookup` for sockets that hands over only addresses which passed the check: the address that was checked is the one
 * that is connected to, so that a name cannot change its mind in between (DNS rebinding). One forbidden address among
 * several refuses the name.
 */
export function guardedLookup(
  resolve: Resolve,
  allowed: (address: string) => boolean = isPublicAddress,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        if (addresses.length === 0) return callback(new LookupError("ENOTFOUND", hostname), "", 0);
        if (!addresses.every(allowed)) return callback(new LookupError("BLOCKED_ADDRESS", hostname), "", 0);
        const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
        if (options.all) callback(null, found);
        else callback(null, found[0]!.address, found[0]!.family);
      },
      (error) => callback(error as NodeJS.ErrnoException, "", 0),
    );
  };
}
