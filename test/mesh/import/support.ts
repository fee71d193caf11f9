import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMesh } from "../../../bin/import/open.ts";
import type { Settings } from "../../../config/settings.ts";
import type { Resources } from "../../../mixins/resources.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { trackLeak } from "../../support/leaks.ts";

/** A folder of the test's own; `await using` removes it. */
export function folder(): { path: string; [Symbol.asyncDispose](): Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), "leadfactory-import-"));
  return { path, [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }) };
}

/** What a command has of a mesh; `await using` closes it. */
export async function meshOf(settings: Settings): Promise<Resources & AsyncDisposable> {
  const untrack = trackLeak("a connection");
  const mesh = await openMesh(settings, "import-test");
  return {
    ...mesh,
    async [Symbol.asyncDispose]() {
      await mesh.close();
      untrack();
    },
  };
}

/** Every lead that a stream holds, in order, as often as it is there. */
export async function leadsIn(mesh: Resources, stream: string): Promise<Lead[]> {
  const jsm = await (await mesh.nats()).jetstreamManager();
  const { state } = await jsm.streams.info(stream);
  const leads: Lead[] = [];
  for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
    const { items } = (await jsm.streams.getMessage(stream, { seq })).json<{ items: { lead: Lead }[] }>();
    leads.push(...items.map(({ lead }) => lead));
  }
  return leads;
}
