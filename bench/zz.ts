import { randomBytes } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { freshLeads, startRealMesh } from "./pipeline/real-mesh.ts";
export const run = async () => {
  await using mesh = await startRealMesh();
  await mesh.importLeads(freshLeads("warm", 2000, "warm"));
  await mesh.ended("warm", 2000);
  await mesh.importLeads(freshLeads("large", 40000, "large"));
  const h = monitorEventLoopDelay({ resolution: 5 });
  h.enable();
  for (const lead of freshLeads("small", 150, "behind")) {
    lead.revision = Date.now();
    await mesh.edge.one(lead, { tenant: "small", requestId: randomBytes(16).toString("hex"), traceparent: "" });
    await new Promise((r) => setTimeout(r, 50));
  }
  h.disable();
  console.log("loop delay ms p50", h.percentile(50) / 1e6, "p95", h.percentile(95) / 1e6, "max", h.max / 1e6);
  await mesh.ended("small", 140);
  const r = await mesh.knex.raw(
    "select e->>'stage' s, count(*), round(avg((e->>'waitedMs')::int)) w, round(avg((e->>'workedMs')::int)) k, percentile_cont(0.95) within group (order by (e->>'waitedMs')::int) w95, percentile_cont(0.95) within group (order by (e->>'workedMs')::int) k95 from leads, jsonb_array_elements(timeline) e where tenant='small' group by 1",
  );
  for (const x of r.rows) console.log(x.s, x.count, "wait", x.w, x.w95, "work", x.k, x.k95);
  const q = await mesh.knex.raw(
    "select e->>'stage' s, count(*), round(avg((e->>'waitedMs')::int)) w, round(avg((e->>'workedMs')::int)) k from leads, jsonb_array_elements(timeline) e where tenant='large' group by 1",
  );
  for (const x of q.rows) console.log("bulk", x.s, x.count, "wait", x.w, "work", x.k);
  return [];
};
