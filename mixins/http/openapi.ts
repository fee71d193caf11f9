import { type ErrorType, errorTable } from "../errors.ts";
import { type AnswerDoc, errorsOf, type JsonSchema, type Operation, type Parameter } from "./operation.ts";

export interface ApiInfo {
  title: string;
  version: string;
  description: string;
  /** Named schemas; `Problem` must be one of them. */
  schemas: Record<string, JsonSchema>;
}

/** The table of operations as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). */
export function openapi(operations: readonly Operation[], { title, version, description, schemas }: ApiInfo): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    paths[operation.path] ??= {};
    paths[operation.path]![operation.method.toLowerCase()] = describe(operation);
  }
  return {
    openapi: "3.1.0",
    info: { title, version, description },
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "An API key; its tenant is the caller's." },
        header: { type: "apiKey", in: "header", name: "X-Api-Key" },
      },
    },
  };
}

function describe(operation: Operation): object {
  const { id, summary, description, scope, body } = operation;
  const parameters = [
    ...parametersIn("path", operation.params),
    ...parametersIn("query", operation.query),
    ...parametersIn("header", operation.headers),
  ];
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    security: scope === null ? [] : [{ bearer: [] }, { header: [] }],
    ...(scope === null ? {} : { "x-scope": scope }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: Object.fromEntries(Object.entries(body.types).map(([type, schema]) => [type, { schema }])),
          },
        }
      : {}),
    responses: responsesOf(operation),
  };
}

function parametersIn(place: "path" | "query" | "header", declared: Record<string, Parameter> = {}): object[] {
  return Object.entries(declared).map(([name, { description, schema }]) => ({
    name,
    in: place,
    ...(place === "path" ? { required: true } : {}),
    description,
    schema,
  }));
}

const header = (description: string) => ({ description, schema: { type: "string" } });
const always = { "X-Request-Id": header("Id of the request, in logs and problems.") };

function responsesOf(operation: Operation): Record<string, object> {
  const responses: Record<string, object> = {};
  for (const [status, answer] of Object.entries(operation.answers)) responses[status] = response(answer);
  const byStatus = new Map<number, ErrorType[]>();
  for (const type of errorsOf(operation)) {
    const { status } = errorTable[type];
    byStatus.set(status, [...(byStatus.get(status) ?? []), type]);
  }
  for (const [status, types] of byStatus) {
    const problem = { schema: { $ref: "#/components/schemas/Problem" } };
    const own = (responses[status] ?? {}) as { content?: object; headers?: object };
    const waits = types.some((type) => errorTable[type].retryable) && status !== 408;
    responses[status] = {
      description: types.map((type) => errorTable[type].text).join(" "),
      headers: {
        ...always,
        ...own.headers,
        ...(waits ? { "Retry-After": header("Seconds to wait before the next try.") } : {}),
      },
      content: { ...own.content, "application/problem+json": problem },
    };
  }
  return Object.fromEntries(Object.entries(responses).sort(([a], [b]) => Number(a) - Number(b)));
}

function response({ description, type, schema, events, csv, headers = {} }: AnswerDoc): object {
  const named = Object.entries(headers).map(([name, text]) => [name, header(text)]);
  return {
    description,
    headers: { ...always, ...Object.fromEntries(named) },
    ...(type
      ? {
          content: {
            [type]: { schema: schema ?? {} },
            ...(events ? { "text/event-stream": { schema: events } } : {}),
            ...(csv ? { "text/csv": { schema: csv } } : {}),
          },
        }
      : {}),
  };
}
