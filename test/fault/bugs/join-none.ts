import { plant } from "./plant.ts";

/** Compares leads, and takes no two for the same business. */
plant(
  "services/dedupe/settle.sql.ts",
  'links: compared.filter(({ comparison }) => verdictOf(comparison) === "same").map(linkOf),',
  "links: [],",
);
