import type { Usage } from "./completion.ts";

/** micro-USD a token: the same figure as USD a million tokens. */
export interface Price {
  input: number;
  output: number;
  /** Of input that the API had at hand from a call before. */
  cached: number;
}

/** Tokens that an API may put around what it is sent: roles, the form of the answer. */
const around = 1_000;

/** The model's price in the table (`model=input/output[/cached]`); undefined where it does not stand there. */
export function priceOf(table: readonly string[], model: string): Price | undefined {
  const line = table.find((entry) => entry.slice(0, entry.lastIndexOf("=")) === model);
  if (line === undefined) return undefined;
  const [input, output, cached = input] = line
    .slice(line.lastIndexOf("=") + 1)
    .split("/")
    .map(Number) as [number, number, number?];
  return { input, output, cached: cached! };
}

/** The most that a call can cost, micro-USD: no token is shorter than a byte of what is sent. */
export function mostMicro(price: Price, body: object, maxTokens: number): number {
  const input = Buffer.byteLength(JSON.stringify(body)) + around;
  return Math.ceil(input * Math.max(price.input, price.cached) + maxTokens * price.output);
}

/** What a call did cost, micro-USD, rounded up. */
export function costMicro(price: Price, { input, cached, output }: Usage): number {
  const fromCache = Math.min(input, cached);
  // A thousandth is beyond any price list's precision: it keeps 0.1 + 0.2 from being rounded up.
  return Math.ceil(
    Number(((input - fromCache) * price.input + fromCache * price.cached + output * price.output).toFixed(3)),
  );
}
