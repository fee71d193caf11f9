import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { unpack } from "../../mixins/actor/envelope.ts";
import { createKey, type Scope } from "../../mixins/keys.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { eventually } from "./eventually.ts";
import { type MeshOptions, startMesh, type TestMesh } from "./mesh.ts";

/** A mesh with a gateway, and how to call it. */
export interface TestGateway extends TestMesh {
  url: string;
  /** Makes a key of a tenant; waits until the gateway knows it. */
  key(tenant: string, ...scopes: Scope[]): Promise<{ id: string; secret: string }>;
  /** Resolves when this gateway has learnt of a key. */
  knows(secret: string): Promise<unknown>;
  /** A request with a key's secret; `path` begins with a slash. */
  call(secret: string, path: string, init?: RequestInit): Promise<Response>;
}

/** Starts a gateway and these services. The services named are others than the gateway itself. */
export async function startGateway(options: Partial<MeshOptions> = {}): Promise<TestGateway> {
  const { services = [], ...rest } = options;
  const mesh = await startMesh({ services: ["services/gateway/gateway.service.ts", ...services], ...rest });
  const service = mesh.broker.getLocalService("gateway") as unknown as {
    url: string;
    keys: { find(secret: string): unknown };
  };
  const { url } = service;
  const call = (secret: string, path: string, init: RequestInit = {}) =>
    fetch(url + path, { ...init, headers: { authorization: `Bearer ${secret}`, ...init.headers } });
  const knows = (secret: string) =>
    eventually("the gateway learns of a new key", () => service.keys.find(secret), { everyMs: 5 });
  return Object.assign(mesh, {
    url,
    call,
    knows,
    async key(tenant: string, ...scopes: Scope[]) {
      const made = await createKey(mesh.nats, mesh.names, { tenant, scopes });
      await knows(made.secret);
      return made;
    },
  });
}

/** The answer's status, headers and JSON. */
export async function postLead(
  gateway: Pick<TestGateway, "call">,
  secret: string,
  lead: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: any }> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(lead),
  };
  const answer = await gateway.call(secret, "/v1/leads", init);
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

/** The leads that stand in the live mailbox of the first stage, or in the intake, oldest first; nothing is taken out. */
export async function leadsIn(mesh: TestMesh, place: "mailbox" | "intake" = "mailbox"): Promise<Lead[]> {
  const { names, nats, resources } = mesh;
  const stream = place === "intake" ? names.intake.stream : names.mailbox(resources.flow[0]!.name).stream;
  const jsm = await nats.jetstreamManager();
  const { state } = await jsm.streams.info(stream);
  const leads: Lead[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
    const message = await jsm.streams.getMessage(stream, { seq }).catch(() => undefined);
    if (message) leads.push(...unpack<Lead>(message.data, message.header).items.map(({ lead }) => lead));
  }
  return leads;
}

/** An upload's answer. A stream is sent no faster than it is taken. */
export async function postBulk(
  gateway: Pick<TestGateway, "url">,
  secret: string,
  body: string | AsyncIterable<Uint8Array>,
  { query = "", type = "application/x-ndjson", headers = {} }: { query?: string; type?: string; headers?: object } = {},
): Promise<{ status: number; headers: Headers; body: any }> {
  // Not fetch: Node's keeps all the chunks of a streamed body until the request has ended.
  const req = request(`${gateway.url}/v1/leads/bulk?${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": type, ...headers },
  });
  const answered = once(req, "response") as Promise<[IncomingMessage]>;
  const sent = pipeline(Readable.from(typeof body === "string" ? [body] : body), req);
  const [res] = await answered;
  const text = await readText(res);
  await sent.catch(() => {}); // An early answer may have cut the rest off.
  return {
    status: res.statusCode!,
    headers: new Headers(res.headers as Record<string, string>),
    body: JSON.parse(text),
  };
}

/** Every stage of the pipeline and what they call. */
export const stages = [
  ...["enrich", "dedupe", "score", "mockup", "email", "leads", "site", "admission"].map(
    (name) => `services/${name}/${name}.service.ts`,
  ),
  "services/email/mail.service.ts",
];
/** What answers operators. */
export const operators = ["services/dead-letters/dead-letters.service.ts", "services/operations/operations.service.ts"];
/** Settings under which every lead gets a mock-up and an e-mail. */
export const generous = { LEADS_AUDIT_THRESHOLD: "0", LEADS_EMAIL_THRESHOLD: "0" };

/** Takes a lead in and waits until it has passed all stages. Answers the lead as the API shows it. */
export async function throughAllStages(gateway: Pick<TestGateway, "call">, secret: string, lead: object): Promise<any> {
  const { body } = await postLead(gateway, secret, lead);
  return eventually("the lead has passed all stages", async () => {
    const answer = await gateway.call(secret, `/v1/leads/${body.id}`);
    const shown = (await answer.json()) as { status: string };
    return shown.status === "completed" && shown;
  });
}
