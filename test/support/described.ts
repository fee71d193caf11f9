import assert from "node:assert/strict";
import type { Ajv2020 } from "ajv/dist/2020.js";

/** Checks an answer against what openapi.json (`api` among the schemas of `ajv`) says of it: status, content type, schema, headers. */
export function isDescribed(
  ajv: Ajv2020,
  description: any,
  operationId: string,
  answer: { status: number; headers: Headers; body: unknown },
): void {
  const operation = Object.values<any>(description.paths)
    .flatMap((path) => Object.values<any>(path))
    .find((o) => o.operationId === operationId);
  const said = operation.responses[answer.status];
  assert.ok(said, `${operationId} says nothing of ${answer.status}`);
  const type = (answer.headers.get("content-type") ?? "").split(";")[0]!;
  const { schema } = said.content?.[type] ?? {};
  assert.ok(schema, `${operationId} ${answer.status} says nothing of ${type}`);
  const text = JSON.stringify(schema).replaceAll('"#/', '"api#/');
  const valid = ajv.compile(JSON.parse(text));
  assert.ok(
    valid(answer.body),
    `${operationId} ${answer.status}: ${ajv.errorsText(valid.errors)}\n${JSON.stringify(answer.body)}`,
  );
  for (const name of Object.keys(said.headers)) {
    // Of several errors with one status, not each has to wait.
    if (name !== "Retry-After" || answer.status === 429)
      assert.ok(answer.headers.has(name), `${operationId} lacks ${name}`);
  }
}
