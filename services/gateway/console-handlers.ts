import type { Service } from "moleculer";
import { LeadsError, outage } from "../../mixins/errors.ts";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import type { Answer } from "../../mixins/http/send.ts";
import { checkOrigin, cookieOf, readSession, setCookie, writeSession } from "../../mixins/http/session.ts";
import type { Edge } from "../../mixins/http.ts";
import { type ConsoleFile, consoleFiles } from "./console-files.ts";
import type { consoleOperations } from "./console-operations.ts";
import { type ImportSeen, importFlow } from "./import-flow.ts";
import type { ImportTold, Tells } from "./tellers.ts";

const files = consoleFiles();
/** How long a list of imports waits for the record. */
const recordMs = 3_000;

/** What answers for the page: its files, and who is signed in. */
export const consoleHandlers: Handlers<(typeof consoleOperations)[number]["id"], Service & Edge & Tells> = {
  getConsole: () => ({ html: files.page, headers: { "Content-Security-Policy": files.policy } }),
  getConsoleScript: (call) => fileOf(files.scripts, call),
  getConsoleStyle: (call) => fileOf(files.styles, call),
  signIn(call) {
    ofThisOrigin(call);
    const { key: secret } = call.json;
    if (!this.keys.isReady) throw outage("keys");
    const key = typeof secret === "string" ? this.keys.find(secret.trim()) : undefined;
    if (!key) throw new LeadsError("UNAUTHORIZED", "the API key is not valid");
    return sessionAnswer(this, call, key.id, Date.now());
  },
  getSession(call) {
    ofThisOrigin(call);
    if (!this.keys.isReady) throw outage("keys");
    const value = cookieOf(call.header("cookie"));
    const session = value === undefined ? undefined : readSession(this.keys, value, Date.now());
    if (!session) throw new LeadsError("UNAUTHORIZED", "nobody is signed in");
    return sessionAnswer(this, call, session.key.id, session.since);
  },
  signOut(call) {
    ofThisOrigin(call);
    return { json: { signedOut: true }, headers: { "Set-Cookie": setCookie("", isSecure(call)) } };
  },
  async listImports({ tenant, key, ctx }) {
    const everybodys = key!.scopes.includes("platform");
    const items = [...this.imports.values()].filter((told) => everybodys || told.tenant === tenant);
    items.sort((a, b) => b.startedAt - a.startedAt);
    // With the record away they are listed all the same, with what it said before.
    await this.importsSeen.look(items, Date.now(), ({ tenant, importId }) =>
      ctx.call<ImportSeen, object>("leads.import", { tenant, id: importId }, { timeout: recordMs, retries: 0 }),
    );
    const flow = (told: ImportTold) => {
      const seen = this.importsSeen.of(told);
      return seen && { flow: importFlow(told, seen) };
    };
    return { json: { items: items.map((told) => ({ ...told, ...flow(told) })) } };
  },
};

function sessionAnswer({ keys }: Edge, call: Call, id: string, since: number): Answer {
  const now = Date.now();
  const value = writeSession(keys, id, since, now);
  const key = keys.byId(id);
  const session = value === undefined ? undefined : readSession(keys, value, now);
  if (!key || !session) throw new LeadsError("UNAUTHORIZED", "the key is to be given again");
  const { tenant, scopes, label } = key;
  return {
    json: { tenant, scopes, keyId: id, ...(label === undefined ? {} : { label }), until: session.until, now },
    headers: { "Set-Cookie": setCookie(value!, isSecure(call)) },
  };
}

function fileOf(known: ReadonlyMap<string, ConsoleFile>, { params, header }: Call): Answer {
  const file = known.get(params["file"]!);
  if (!file) throw new LeadsError("NOT_FOUND", "the page has no such file");
  const headers = { ETag: file.etag, "Cache-Control": "no-cache" };
  if (header("If-None-Match") === file.etag) return { status: 304, headers };
  return { bytes: file.bytes, type: file.type, headers };
}

/** Another origin's page must not sign a browser in or out. */
function ofThisOrigin({ operation, header }: Call): void {
  const names = ["sec-fetch-site", "origin", "host", "x-leads-console"] as const;
  checkOrigin(operation.method, Object.fromEntries(names.map((name) => [name, header(name)])));
}

/** A proxy before us that ends TLS says so; whoever else says it only keeps the cookie from plain HTTP. */
const isSecure = ({ header }: Call): boolean => header("x-forwarded-proto") === "https";
