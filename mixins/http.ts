import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { CallingOptions, Context, Service, ServiceSchema } from "moleculer";
import ApiGateway from "moleculer-web";
import { LeadsError, outage } from "./errors.ts";
import { addressBlock, clientAddress, proxyRanges } from "./http/address.ts";
import { chunksOf, mediaTypeOf, parseJsonObject, readBody } from "./http/body.ts";
import type { Call, Handlers } from "./http/call.ts";
import { requestIdOf, secretOf, traceOf } from "./http/ids.ts";
import { matcher } from "./http/match.ts";
import type { Operation } from "./http/operation.ts";
import { errorTypeOf, problemOf } from "./http/problem.ts";
import { queryOf, readQuery } from "./http/query.ts";
import { countAnswer, countFromZero, send, setRateHeaders, setSecurityHeaders } from "./http/send.ts";
import { closeServer, listen, makeServer } from "./http/server.ts";
import { type Asker, askerOf } from "./http/session.ts";
import { continueTrace } from "./http/trace.ts";
import { KeyRing } from "./keys.ts";
import { type Meter, meterOf } from "./metrics.ts";
import { RateLimiter, tooMany } from "./rate-limit.ts";
import { resourcesOf } from "./resources.ts";
import { defineMixin, type Mixin } from "./schema.ts";
import { type TraceContext, writeTraceparent } from "./trace/ids.ts";
import type { About } from "./trace/scope.ts";

export interface HttpOptions<Id extends string, This> {
  operations: readonly (Operation & { id: Id })[];
  handlers: Handlers<Id, This>;
}

/** What the mixin adds to `this`. The keys are read once the service runs them: `this.keys.run(nats)`. */
export interface Edge {
  server: Server;
  /** Where it listens, once it does. */
  url: string;
  keys: KeyRing;
  limiter: RateLimiter;
  leaving: AbortController;
  proxies: ReturnType<typeof proxyRanges>;
  meter: Meter;
  /** Operation -> requests of it in hand, of those that have a bound. */
  inHand: Map<string, number>;
}

/** What moleculer-web brings that is used here. */
interface Web {
  httpHandler(req: IncomingMessage, res: ServerResponse): Promise<void>;
  addRoute(route: object): void;
}

/** What the edge knows of a request while it lasts. */
interface State {
  operation: Operation;
  requestId: string;
  trace: TraceContext;
  /** What log lines say of it; the calls it makes hand it on. */
  about: About;
  address: string;
  params: Record<string, string>;
  asker?: Asker;
}
const states = new WeakMap<IncomingMessage, State>();

/** Requests a second without a valid key that one address may make. */
const strangersPerSecond = 20;
/** A body that is no upload must be here within this time, ms. An upload may take for ever but not fall silent as long. */
const bodyMs = 30_000;

/**
 * Makes a service an HTTP edge: moleculer-web's routing and hooks behind a server of our own.
 *
 *   serve (ids, security headers, 404, 405) -> authenticate (key, rate) -> authorize (scope)
 *     -> admit (query, content type, body) -> handler -> send
 *
 * Whatever throws on the way is answered as problem+json by `errorHandler`.
 */
export function http<Id extends string, This>({ operations, handlers }: HttpOptions<Id, This>): Mixin<Edge> {
  const match = matcher(operations);
  const mixin = defineMixin<Edge & Web>()({
    settings: {
      server: false,
      routes: null,
      logRequest: null,
      logRequestParams: null,
      logResponse: null,
      logRouteRegistration: null,
      rootCallOptions(options: CallingOptions, req: IncomingMessage): void {
        continueTrace((this as unknown as Service).broker, states.get(req)!, options);
      },
    },
    methods: {
      /** The way in of every request. */
      serve(req: IncomingMessage, res: ServerResponse): void {
        const requestId = requestIdOf(req.headers["x-request-id"] as string | undefined);
        const { socket, headers } = req;
        const address = clientAddress(
          socket.remoteAddress ?? "",
          headers["x-forwarded-for"] as string | undefined,
          this.proxies,
        );
        const trace = traceOf(headers["traceparent"] as string | undefined, requestId);
        setSecurityHeaders(res, requestId);
        countAnswer(res, this.meter, () => states.get(req)?.operation.id ?? "none");
        try {
          // HEAD is answered as GET; Node leaves the body out.
          if (req.method === "HEAD") req.method = "GET";
          const path = req.url!.split("?", 1)[0]!.replace(/(.)\/$/, "$1");
          states.set(req, { ...match(req.method!, path), requestId, trace, about: { requestId }, address });
        } catch (error) {
          this.fail(req, res, error, requestId);
          return;
        }
        // moleculer-web makes this its context's request id; a second spelling of it would win over ours.
        headers["x-request-id"] = requestId;
        delete headers["x-correlation-id"];
        void this.httpHandler(req, res);
      },

      /** Somebody without a key; throws `RATE_LIMITED`. */
      async limitStranger(address: string): Promise<void> {
        const rate = await this.limiter.take("address", addressBlock(address), { perSecond: strangersPerSecond });
        if (!rate.allowed) throw tooMany(rate.retryAfterMs);
      },

      /** moleculer-web's hook: whose request is it, and may it come now? */
      async authenticate(_ctx: Context, _route: unknown, req: IncomingMessage, res: ServerResponse) {
        const state = states.get(req)!;
        // moleculer-web has put its context's there, which is the trace's.
        res.setHeader("X-Request-Id", state.requestId);
        if (state.operation.scope === null) {
          const { limited, signed } = state.operation;
          if (limited) await this.limitStranger(state.address);
          if (signed && !signed.by.some((name) => req.headers[name.toLowerCase()] !== undefined))
            throw new LeadsError("UNAUTHORIZED", `it is not signed: there is no header ${signed.by.join(" or ")}`);
          return null;
        }
        if (!this.keys.isReady) throw outage("keys");
        const asker = askerOf(this.keys, req);
        if (!asker) {
          await this.limitStranger(state.address);
          const sent = secretOf(req.headers) !== undefined;
          throw new LeadsError("UNAUTHORIZED", sent ? "the API key is not valid" : "send an API key as a bearer token");
        }
        const { key } = asker;
        state.asker = asker;
        state.about.tenant = key.tenant;
        const rate = await this.limiter.take("key", key.id, { perSecond: resourcesOf(this.broker).settings.rateLimit });
        setRateHeaders(res, rate);
        if (!rate.allowed) throw tooMany(rate.retryAfterMs);
        return { keyId: key.id, tenant: key.tenant };
      },

      /** moleculer-web's hook: may this key do that? */
      async authorize(_ctx: Context, _route: unknown, req: IncomingMessage) {
        const { operation, asker } = states.get(req)!;
        if (operation.scope !== null && !asker?.key.scopes.includes(operation.scope))
          throw new LeadsError("FORBIDDEN", `the key lacks the scope ${operation.scope}`);
      },

      /** Checks what the operation declares, and reads the body. */
      async admit(req: IncomingMessage & { $ctx?: Context }): Promise<Call> {
        const { operation, requestId, trace, params, asker } = states.get(req)!;
        const { settings } = resourcesOf(this.broker);
        const { values, faults } = readQuery(operation.query ?? {}, queryOf(req.url!));
        if (faults.length > 0) throw new LeadsError("VALIDATION", "the query is wrong", { faults });
        const mediaType = operation.body ? mediaTypeOf(req, Object.keys(operation.body.types)) : "";
        const whole = operation.body !== undefined && !operation.body.upload;
        const limit = operation.body?.raw ?? settings.bodyLimitBytes;
        const raw = whole ? await readBody(req, limit, bodyMs) : Buffer.alloc(0);
        return {
          ctx: req.$ctx!,
          operation,
          tenant: asker?.key.tenant ?? "",
          key: asker?.key ?? null,
          isValid: () => asker?.isValid() ?? false,
          requestId,
          traceparent: writeTraceparent(trace.traceId, req.$ctx!.id, req.$ctx!.tracing === true),
          params,
          query: values,
          header: (name) => {
            const value = req.headers[name.toLowerCase()];
            return typeof value === "string" ? value : undefined;
          },
          mediaType,
          raw,
          json: whole && operation.body?.raw === undefined ? parseJsonObject(raw) : {},
          chunks: () => chunksOf(req, bodyMs),
          leaving: this.leaving.signal,
        };
      },

      /** Does the work of an operation whose requests in hand have a bound. Throws `MAILBOX_FULL`. */
      async bounded<T>(id: string, atOnce: number, work: () => Promise<T>): Promise<T> {
        const held = this.inHand.get(id) ?? 0;
        if (held >= atOnce) throw new LeadsError("MAILBOX_FULL", `${held} requests ${id} are in hand`);
        this.inHand.set(id, held + 1);
        try {
          return await work();
        } finally {
          this.inHand.set(id, this.inHand.get(id)! - 1);
        }
      },

      async run(req: IncomingMessage, res: ServerResponse): Promise<void> {
        const { id, signed } = states.get(req)!.operation;
        const answered = async () => handlers[id as Id].call(this as This, await this.admit(req));
        const answer = signed ? await this.bounded(id, signed.atOnce, answered) : await answered();
        send(req, res, answer, !this.server.listening);
      },

      /** moleculer-web's way out for whatever a route throws. */
      errorHandler(req: IncomingMessage, res: ServerResponse, error: unknown): void {
        this.fail(req, res, error, states.get(req)?.requestId ?? "");
      },
      sendError(req: IncomingMessage, res: ServerResponse, error: unknown): void {
        this.fail(req, res, error, states.get(req)?.requestId ?? "");
      },
      send404(req: IncomingMessage, res: ServerResponse): void {
        this.fail(req, res, new LeadsError("NOT_FOUND", "there is no such path"), states.get(req)?.requestId ?? "");
      },

      fail(req: IncomingMessage, res: ServerResponse, error: unknown, requestId: string): void {
        const { operation, asker } = states.get(req) ?? {};
        const { problem, headers } = problemOf(error, requestId);
        if (problem.status >= 500) {
          const about = { requestId, operation: operation?.id, key: asker?.key.id, tenant: asker?.key.tenant };
          if (errorTypeOf(error) === "INTERNAL") this.logger.error("a request failed", about, error);
          else this.logger.warn(`answered ${problem.status}: ${(error as Error).message}`, about);
        }
        const answer = { status: problem.status, headers, json: problem, type: "application/problem+json" };
        send(req, res, answer, !this.server.listening);
      },
    },

    created() {
      const { settings, names, redis, onDrain } = resourcesOf(this.broker);
      this.proxies = proxyRanges(settings.trustedProxies);
      this.leaving = new AbortController();
      this.meter = meterOf(this.broker);
      countFromZero(this.meter, operations);
      this.inHand = new Map();
      this.keys = new KeyRing(names, (fault) => this.logger.warn(fault));
      this.limiter = new RateLimiter(redis(), names);
      // One function for all: what runs is the operation whose scope was checked, whichever alias led here.
      const run = (req: IncomingMessage, res: ServerResponse, next: (error: unknown) => void) => {
        this.run(req, res).catch(next);
      };
      const aliases = operations.map((o) => [`${o.method} ${o.path.replace(/\{(\w+)\}/g, ":$1")}`, run]);
      this.addRoute({
        path: "/",
        aliases: Object.fromEntries(aliases),
        mappingPolicy: "restrict",
        // Bodies are read after the key and the rate were checked, not before.
        bodyParsers: false,
        mergeParams: false,
        authentication: true,
        authorization: true,
        logging: false,
        pathToRegexpOptions: { sensitive: true },
      });
      this.server = makeServer((req, res) => this.serve(req, res));
      // Before any service of this process stops: requests in hand may need one.
      onDrain(() => closeServer(this.server, this.leaving, settings.drainMs));
    },

    async started() {
      const { settings } = resourcesOf(this.broker);
      await listen(this.server, settings.httpPort, settings.httpHost);
      const { address, port } = this.server.address() as AddressInfo;
      this.url = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
      this.logger.info(`the API is at ${this.url}`);
    },

    async stopped() {
      const { settings } = resourcesOf(this.broker);
      await closeServer(this.server, this.leaving, settings.drainMs);
      this.keys.stop();
      this.limiter.close();
    },
  });
  const rest = {
    // It is the request itself: what it calls is retried and cut off, never the whole of it, whose body is read by then.
    retryPolicy: { enabled: false },
    circuitBreaker: { enabled: false },
    bulkhead: { enabled: false },
    // Its own name for the span holds the query, and with it people's names.
    tracing: {
      tags: () => ({ kind: "SERVER" }),
      spanName: (ctx: Context<{ req: IncomingMessage }>) => states.get(ctx.params.req)?.operation.id ?? "http",
    },
  };
  return {
    ...mixin,
    mixins: [ApiGateway as ServiceSchema],
    actions: { rest, listAliases: false, addRoute: false, removeRoute: false } as ServiceSchema["actions"],
  };
}
