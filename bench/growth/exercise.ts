import { labelledLeads } from "../../bin/demo/leads.ts";
import { operations } from "../../services/gateway/operations.ts";
import { signPlain } from "../../test/support/mail.ts";
import type { ProcessMesh } from "../processes/mesh.ts";
import { toldLeads } from "../world/told-leads.ts";

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
  erasable: string;
  leadId: string;
  email: string;
  phone: string;
}
const nobody = "00000000-0000-4000-8000-000000000000";

const analyticsPaths = [
  ...["", "?by=source", "?by=vertical&daily=true", "?by=zip", "?zip=60601", "?by=tenant&tenant=*"],
].map((query) => `/v1/analytics${query}`);

/** A request or more of each operation of the API, so that every statement behind it runs. */
const requests: Record<OperationId, (call: Call, known: Known) => Promise<Response>[]> = {
  createLead: (call) => [...toldLeads("exercise", 3)].map((lead) => call("POST", "/v1/leads", lead)),
  createLeads: (call) => {
    // With doubles, and with some that only look like doubles.
    const told = [...labelledLeads({ count: 500, seed: "upload" })];
    const rows = told.map(({ lead }) => JSON.stringify({ ...lead, source: "upload" })).join("\n");
    return [call("POST", "/v1/leads/bulk", rows, { "content-type": "application/x-ndjson" })];
  },
  listLeads: (call, known) => listQueries(known).map(({ path }) => call("GET", path)),
  getLead: (call, { leadId }) => [call("GET", `/v1/leads/${leadId}`), call("GET", `/v1/leads/${nobody}`)],
  getMockup: (call, { leadId }) => [call("GET", `/v1/leads/${leadId}/mockup`)],
  listOutbox: (call) => [call("GET", "/v1/outbox"), call("GET", "/v1/outbox?state=failed")],
  listReviews: (call) => ["open", "merged", "apart"].map((state) => call("GET", `/v1/reviews?state=${state}`)),
  decideReview: (call) => [call("POST", `/v1/reviews/${nobody}`, { decision: "merge" })],
  unmergeLead: (call, { leadId }) => [call("POST", `/v1/leads/${leadId}/unmerge`)],
  settleMail: (call, { leadId }) => [call("POST", `/v1/outbox/${leadId}/settle`, { as: "sent" })],
  getMail: (call) => [call("GET", "/v1/mail")],
  changeMail: (call) => [call("PUT", "/v1/mail", { dayLimit: 1_000 })],
  resumeMail: (call) => [call("POST", "/v1/mail/resume", {})],
  mailEvents: (call, { leadId }) => {
    const at = Date.now();
    const event = { id: "bench", messageId: `<${leadId}@bench>`, kind: "delivered", at, attempt: 1 };
    const body = JSON.stringify({ events: [event] });
    const signed = signPlain(body, secrets.events, at);
    const headers = { "content-type": "application/json", "Leads-Signature": signed };
    return [call("POST", "/v1/webhooks/email", body, headers)];
  },
  askUnsubscribe: (call) => [call("GET", "/u/none")],
  unsubscribe: (call) => [
    call("POST", "/u/none", "List-Unsubscribe=One-Click", { "content-type": "application/x-www-form-urlencoded" }),
  ],
  openMockup: (call) => [call("GET", "/m/none")],
  eraseLead: (call, { erasable }) => [call("DELETE", `/v1/leads/${erasable}`)],
  listTombstones: (call) => [call("GET", "/v1/tombstones")],
  liftTombstone: (call) => [call("DELETE", `/v1/tombstones/${nobody}`)],
  listDeadLetters: (call) => [
    call("GET", "/v1/dead-letters"),
    call("GET", "/v1/dead-letters?tenant=*&stage=score&error=TypeError"),
  ],
  countDeadLetters: (call) => [call("GET", "/v1/dead-letters/counts"), call("GET", "/v1/dead-letters/counts?tenant=*")],
  getDeadLetter: (call) => [call("GET", "/v1/dead-letters/1-0")],
  redriveDeadLetters: (call) => [call("POST", "/v1/dead-letters/redrive", { filter: { stage: "none" } })],
  discardDeadLetters: (call) => [
    call("POST", "/v1/dead-letters/discard", { filter: { stage: "none" }, reason: "a bench" }),
  ],
  listDeadLetterJobs: (call) => [call("GET", "/v1/dead-letters/jobs"), call("GET", "/v1/dead-letters/jobs?tenant=*")],
  getDeadLetterJob: (call) => [call("GET", `/v1/dead-letters/jobs/${nobody}`)],
  cancelDeadLetterJob: (call) => [call("POST", `/v1/dead-letters/jobs/${nobody}/cancel`, {})],
  whyLead: (call, { leadId }) => [call("GET", `/v1/leads/${leadId}/why`)],
  listOperations: (call) => [call("GET", "/v1/operations"), call("GET", "/v1/operations?tenant=*")],
  listStages: (call) => [call("GET", "/v1/stages")],
  pauseStage: (call) => [call("POST", "/v1/stages/none/pause", { reason: "a bench" })],
  resumeStage: (call) => [call("POST", "/v1/stages/none/resume", {})],
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

/** Calls every operation of the API. Throws where one fails on our side. */
export async function exercise(call: Call, known: Known): Promise<void> {
  for (const { id } of operations) {
    for (const answered of requests[id](call, known)) {
      const answer = await answered;
      const text = await answer.text();
      if (answer.status >= 500) throw new Error(`${id}: ${answer.status} ${text}`);
    }
  }
}
