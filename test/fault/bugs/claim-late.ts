import { plant } from "./plant.ts";

/** Hands an e-mail over before anything says so: until it has been sent, its row is one that anybody may send soon. */
plant(
  "services/email/claims.sql.ts",
  'return rows.flatMap(({ state, ...mail }: any) => (state === "sending"',
  `await knex.raw("update outbox set state = 'written', holder = null, lease_until = null, due_at = now() + interval '3 seconds' where state = 'sending' and holder = ?", [holder]);
  return rows.flatMap(({ state, ...mail }: any) => (state === "sending"`,
);
