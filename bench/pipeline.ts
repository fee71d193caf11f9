import { chain } from "./chain/chain.ts";
import { meshRate } from "./chain/mesh-rate.ts";
import { endToEndMs, shareUnread } from "./pipeline/ended.sql.ts";
import { freshLeads } from "./pipeline/fresh-leads.ts";
import { percentile } from "./pipeline/percentile.ts";
import { type ProcessMesh, startProcessMesh } from "./processes/mesh.ts";
import { atLeast, atMost, type Bench, figure, mostUnread, type Row } from "./row.ts";
import { startWorld } from "./world/world.ts";

const tenant = "bench";
const warmUp = 2_000;

/**
 * All real stages, in processes as `npm start` has them, an import on the bulk lane: from the first lead accepted to the last one ended in the
 * record. Load generator, servers, web sites, PageSpeed and mesh share the machine. With fetching off, and with the web
 * site of each lead (20 kB, a host each) fetched, read and fingerprinted, and measured by PageSpeed.
 */
export const run: Bench = async ({ short, log }) => {
  const count = short ? 10_000 : 40_000;
  const off = await measured("fetching off", {}, count, log);
  const chainRate = await meshRate(chain, { perEnvelope: 50, count });
  log(`chain: ${Math.round(chainRate)} leads/s`);
  await using world = await startWorld();
  const fetched = await measured("each site fetched and measured", world.env, count / 4, log);
  return [
    ...off.rows,
    atLeast("pipeline", "all stages, fetching off, goal", "leads/s", off.rate, 5_000),
    atLeast("pipeline", "all stages, fetching off / chain", "ratio", off.rate / chainRate, 0.6),
    ...fetched.rows,
    atLeast("pipeline", "all stages, each site fetched and measured, goal", "leads/s", fetched.rate, 1_000),
    atMost("pipeline", "sites not read or not measured", "share", fetched.unread, mostUnread),
  ];
};

async function measured(
  what: string,
  env: Record<string, string>,
  count: number,
  log: (line: string) => void,
): Promise<{ rate: number; unread: number; rows: Row[] }> {
  await using mesh = await startProcessMesh({ env });
  await mesh.importLeads(withSites("first", warmUp));
  await mesh.ended(tenant, warmUp);
  const leads = [...withSites("then", count)];
  const since = performance.now();
  await mesh.importLeads(leads);
  await mesh.ended(tenant, warmUp + count);
  const rate = count / ((performance.now() - since) / 1_000);
  log(`${what}: ${count} leads at ${Math.round(rate)} leads/s`);
  return {
    rate,
    unread: await shareUnread(mesh.knex, tenant, ["then"]),
    rows: [figure("pipeline", `all stages, ${what}`, "leads/s", rate), ...(await endToEnd(mesh, what))],
  };
}

/** How long the import's leads took, from acceptance: an import's leads wait for those before them. */
async function endToEnd(mesh: ProcessMesh, what: string): Promise<Row[]> {
  const times = await endToEndMs(mesh.knex, tenant, "then");
  const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
  const row = (name: string, ms: number) => figure("pipeline", `end to end, ${what}, ${name}`, "ms", ms);
  return [row("average", mean), ...[0.5, 0.95, 0.99].map((share) => row(`p${share * 100}`, percentile(times, share)))];
}

/** Leads each with a web site of its own host: one in two of them dated, one in two modern. */
function* withSites(seed: string, count: number) {
  let n = 0;
  for (const lead of freshLeads(tenant, count, seed)) {
    const host = `${n % 2 === 0 ? "modern" : "dated"}-${seed}-${n}.example`;
    n++;
    lead.fields = { ...lead.fields, website: `http://${host}/`, domain: host };
    yield lead;
  }
}
