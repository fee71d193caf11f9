import { setTimeout as delay } from "node:timers/promises";
import { labelledLeads } from "../../bin/demo/leads.ts";
import { kinds } from "../../services/email/events.ts";
import { signLink } from "../../services/email/links.ts";
import { addressHash } from "../../services/email/recipient.ts";
import { operations } from "../../services/gateway/operations.ts";
import { type Mailbox, signPlain } from "../../test/support/mail.ts";
import type { ProcessMesh } from "../processes/mesh.ts";
import { toldLeads } from "../world/told-leads.ts";
import { deadLetters, type Given, mails, mergedLead, openReviews, read } from "./given.ts";

type OperationId = (typeof operations)[number]["id"];

/** Secrets that the mesh is given, so that signed requests can be made. */
export const secrets = {
  links: "a-secret-for-the-links-of-this-bench",
  events: "a-secret-for-the-events-of-this-bench",
};

/** A caller of the API with a key. */
export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Response>;

export function caller({ url }: ProcessMesh, key: string): Call {
  return (method, path, body, headers = {}) =>
    fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined || typeof body === "string" ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
}

/** A lead that there is, and one that may be erased; what there is none of is asked for by an id that nothing has. */
export interface Known {
  tenant: string;
  erasable: string;
  leadId: string;
  email: string;
  phone: string;
}
/** In which stages, recorder and senders do what follows, ms. */
const afterwardsMs = 10_000;
const nobody = "00000000-0000-4000-8000-000000000000";

const analyticsPaths = [
  ...["", "?by=source", "?by=vertical&daily=true", "?by=zip", "?zip=60601", "?by=tenant&tenant=*"],
].map((query) => `/v1/analytics${query}`);

/** What an exercise is about; `run` tells its leads from those of another. */
type About = Known & Given & { run: string };

/** A request or more of each operation of the API, so that every statement behind it runs. */
const requests: Record<OperationId, (call: Call, about: About) => Promise<Response>[]> = {
  createLead: (call, { run }) => [...toldLeads(`exercise-${run}`, 3)].map((lead) => call("POST", "/v1/leads", lead)),
  createLeads: (call, { run }) => {
    // With doubles, and with some that only look like doubles.
    const told = [...labelledLeads({ count: 500, seed: `upload-${run}` })];
    const rows = told.map(({ lead }) => JSON.stringify({ ...lead, source: "upload" })).join("\n");
    return [call("POST", "/v1/leads/bulk", rows, { "content-type": "application/x-ndjson" })];
  },
  listLeads: (call, known) => listQueries(known).map(({ path }) => call("GET", path)),
  getLead: (call, { leadId }) => [call("GET", `/v1/leads/${leadId}`), call("GET", `/v1/leads/${nobody}`)],
  getMockup: (call, { leadId }) => [call("GET", `/v1/leads/${leadId}/mockup`)],
  listOutbox: (call) => [call("GET", "/v1/outbox"), call("GET", "/v1/outbox?state=failed")],
  listReviews: (call) => ["open", "merged", "apart"].map((state) => call("GET", `/v1/reviews?state=${state}`)),
  decideReview: (call, { reviews: [one = nobody, other = nobody] }) => [
    call("POST", `/v1/reviews/${one}`, { decision: "merge" }),
    call("POST", `/v1/reviews/${other}`, { decision: "keep_apart" }),
  ],
  unmergeLead: (call, { merged: [id = nobody] }) => [call("POST", `/v1/leads/${id}/unmerge`)],
  settleMail: (call, { unknown: [one = nobody, other = nobody] }) => [
    call("POST", `/v1/outbox/${one}/settle`, { as: "sent" }),
    call("POST", `/v1/outbox/${other}/settle`, { as: "not_sent" }),
  ],
  getMail: (call) => [call("GET", "/v1/mail")],
  changeMail: (call) => [call("PUT", "/v1/mail", { dayLimit: 1_000 })],
  resumeMail: (call) => [call("POST", "/v1/mail/resume", {})],
  mailEvents: (call, { leadId, sent, run }) => {
    const at = Date.now();
    const events = kinds.map((kind, n) => {
      const messageId = sent[n % sent.length] ?? `<${leadId}@bench>`;
      return { id: `${run}-${kind}`, messageId, kind, at, attempt: 1 };
    });
    const body = JSON.stringify({ events });
    const headers = { "content-type": "application/json", "Leads-Signature": signPlain(body, secrets.events, at) };
    return [call("POST", "/v1/webhooks/email", body, headers)];
  },
  askUnsubscribe: (call, { tenant, email }) => [call("GET", `/u/${unsubscribing(tenant, email)}`)],
  unsubscribe: (call, { tenant, email }) => [
    call("POST", `/u/${unsubscribing(tenant, email)}`, "List-Unsubscribe=One-Click", {
      "content-type": "application/x-www-form-urlencoded",
    }),
  ],
  openMockup: (call, { tenant, leadId }) => [
    call("GET", `/m/${signLink({ purpose: "mockup", tenant, leadId }, [secrets.links], Date.now())}`),
  ],
  eraseLead: (call, { erasable }) => [call("DELETE", `/v1/leads/${erasable}`)],
  listTombstones: (call) => [call("GET", "/v1/tombstones")],
  liftTombstone: (call) => [
    read(call, "/v1/tombstones").then(({ items: [last] }) => call("DELETE", `/v1/tombstones/${last?.id ?? nobody}`)),
  ],
  listDeadLetters: (call) => [
    call("GET", "/v1/dead-letters"),
    call("GET", "/v1/dead-letters?tenant=*&stage=score&error=TypeError"),
  ],
  countDeadLetters: (call) => [call("GET", "/v1/dead-letters/counts"), call("GET", "/v1/dead-letters/counts?tenant=*")],
  getDeadLetter: (call, { letters: [id = "1-0"] }) => [call("GET", `/v1/dead-letters/${id}`)],
  redriveDeadLetters: (call, { letters: [one = "1-0", other = "1-0"] }) => [
    call("POST", "/v1/dead-letters/redrive", { filter: { stage: "score" }, dryRun: true }),
    call("POST", "/v1/dead-letters/redrive", { ids: [one] }),
    call("POST", "/v1/dead-letters/redrive", { ids: [other], patch: { name: "Mended" } }),
  ],
  discardDeadLetters: (call) => [
    call("POST", "/v1/dead-letters/discard", { filter: { stage: "score" }, reason: "a bench" }),
  ],
  listDeadLetterJobs: (call) => [call("GET", "/v1/dead-letters/jobs"), call("GET", "/v1/dead-letters/jobs?tenant=*")],
  getDeadLetterJob: (call) => [lastJob(call).then((id) => call("GET", `/v1/dead-letters/jobs/${id}`))],
  cancelDeadLetterJob: (call) => [lastJob(call).then((id) => call("POST", `/v1/dead-letters/jobs/${id}/cancel`, {}))],
  whyLead: (call, { leadId }) => [call("GET", `/v1/leads/${leadId}/why`)],
  listOperations: (call) => [call("GET", "/v1/operations"), call("GET", "/v1/operations?tenant=*")],
  listStages: (call) => [call("GET", "/v1/stages")],
  pauseStage: (call) => [call("POST", "/v1/stages/mockup/pause", { reason: "a bench" })],
  resumeStage: (call) => [call("POST", "/v1/stages/mockup/resume", {})],
  listStreams: (call) => [call("GET", "/v1/streams")],
  listNodes: (call) => [call("GET", "/v1/nodes")],
  // It goes on for as long as somebody listens, and reads no database.
  events: () => [],
  getScreenshot: (call, { leadId }) => [call("GET", `/v1/leads/${leadId}/screenshot`)],
  getSettings: (call) => [call("GET", "/v1/settings")],
  changeSettings: (call) => [call("PUT", "/v1/settings", { tier: 1 })],
  getAnalytics: (call) => analyticsPaths.map((path) => call("GET", path)),
  getRuleFigures: (call) => [call("GET", "/v1/analytics/rules"), call("GET", "/v1/analytics/rules?tenant=*")],
  getBudget: (call) => [call("GET", "/v1/budget")],
  stageHistory: (call) => [call("GET", "/v1/stages/history")],
  listImports: (call) => [call("GET", "/v1/imports")],
  // The page reads no database of its own; it asks what stands here.
  getConsole: (call) => [call("GET", "/console")],
  getConsoleScript: (call) => [call("GET", "/console/js/app.js")],
  getConsoleStyle: (call) => [call("GET", "/console/css/base.css")],
  getRunbook: (call) => [call("GET", "/v1/runbook")],
  signIn: () => [],
  getSession: () => [],
  signOut: () => [],
  getLogs: (call) => [call("GET", "/v1/logs?limit=1")],
  healthz: (call) => [call("GET", "/healthz")],
  readyz: (call) => [call("GET", "/readyz")],
  openapi: (call) => [call("GET", "/openapi.json")],
};

const unsubscribing = (tenant: string, email: string) =>
  signLink({ purpose: "unsubscribe", tenant, address: addressHash(email) }, [secrets.links], Date.now());

const lastJob = async (call: Call): Promise<string> =>
  (await read(call, "/v1/dead-letters/jobs")).items[0]?.id ?? nobody;

/** The queries that list things, as a caller asks them: each must be quick however many there are. */
export function listQueries({ email, phone }: Known): { name: string; path: string }[] {
  const leads = [
    ...["", "sort=score", "status=completed", "status=dead", "stage=email", "source=nobody", "vertical=none"],
    ...["sort=score&minScore=90", "status=completed&source=nobody&minScore=99", "limit=200"],
    ...[`q=${encodeURIComponent(email)}`, `q=${encodeURIComponent(phone)}`, `q=${email.slice(email.indexOf("@") + 1)}`],
  ].map((query) => `/v1/leads${query && `?${query}`}`);
  const others = ["/v1/outbox", "/v1/outbox?state=failed", "/v1/outbox?state=written", "/v1/reviews", "/v1/tombstones"];
  const operators = ["/v1/dead-letters", "/v1/dead-letters/counts", "/v1/dead-letters/jobs", "/v1/operations"];
  return [...leads, ...others, ...operators, ...analyticsPaths, "/v1/analytics/rules"].map((path) => ({
    name: `GET ${path}`,
    path,
  }));
}

/**
 * Calls every operation of the API, about what it has the mesh make before, and waits for what the stages do of it. Answers
 * what failed, in words.
 */
export async function exercise(
  mesh: ProcessMesh,
  { call, box, known, run, log }: { call: Call; box: Mailbox; known: Known; run: string; log(line: string): void },
): Promise<string[]> {
  const faults: string[] = [];
  const about: About = { ...known, run, reviews: [], merged: [], letters: [], sent: [], unknown: [] };
  const attempt = async (what: string, make: () => Promise<Partial<Given>>) => {
    try {
      Object.assign(about, await make());
    } catch (error) {
      faults.push(`${what}: ${(error as Error).message}`);
    }
  };
  await attempt("mails", () => mails(call, box, run));
  await attempt("reviews", async () => ({ reviews: await openReviews(call) }));
  await attempt("merged", async () => ({ merged: await mergedLead(call, run) }));
  await attempt("letters", async () => ({ letters: await deadLetters(mesh, call, known.tenant, run) }));
  for (const { id } of operations) {
    for (const settled of await Promise.allSettled(requests[id](call, about))) {
      if (settled.status === "rejected") faults.push(`${id}: ${settled.reason}`);
      else {
        const { status } = settled.value;
        const text = await settled.value.text();
        if (status >= 500) faults.push(`${id}: ${status} ${text}`);
        else if (status >= 400) log(`${id}: ${status} ${text}`);
      }
    }
  }
  await delay(afterwardsMs);
  return faults;
}
