import { Resolver } from "node:dns/promises";
import { connect } from "node:net";
import type { Suspicion } from "./way-out.ts";

/** Root name servers (a, l, k; IANA root hints): they are asked by everybody, and stand behind many ways. */
const roots = ["198.41.0.4", "199.7.83.42", "193.0.14.129"];
const answerMs = 3_000;

/**
 * The control question: does our own way out work? For the name service the root zone is asked for; for the network a
 * connection is opened to a root server, or to a host that answered before. Rejects when nobody answers.
 */
export async function askControl(kind: Suspicion, answeredBefore: readonly string[]): Promise<void> {
  if (kind === "dns") {
    await new Resolver({ timeout: answerMs, tries: 1 }).resolveNs(".");
    return;
  }
  await Promise.any([...roots.map((root) => reach(root, 53)), ...answeredBefore.map((host) => reach(host, 443))]);
}

function reach(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: answerMs });
    socket
      .once("connect", () => resolve())
      .once("error", reject)
      .once("timeout", () => reject(new Error("timeout")));
    for (const end of ["connect", "error", "timeout"]) socket.once(end, () => socket.destroy());
  });
}
