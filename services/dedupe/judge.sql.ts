import type { Knex } from "knex";
import { readKnown } from "./dedupe.sql.ts";
import { takesPart } from "./party.ts";
import { type ReviewPair, reviewOf, settleReview } from "./reviews.sql.ts";
import { tie } from "./tie.sql.ts";

export type Decision = "merge" | "keep_apart";

/** What became of an operator's decision. */
export type Judged =
  /** Done, now or before. `merge`: who stays. */
  | { kind: "done"; winner: string | null }
  | { kind: "none" }
  /** Somebody else has decided otherwise. */
  | { kind: "otherwise"; state: string }
  /** It cannot be done as things stand; says why. */
  | { kind: "impossible"; why: string };

/**
 * An operator's answer to a review, in the caller's transaction. The leads are locked first, by id, and the review then:
 * of two operators the second finds what the first has decided. A merge is written as any other. A repeat changes
 * nothing. Throws a serialization failure when it must run again.
 */
export async function judge(
  trx: Knex.Transaction,
  { tenant, reviewId, decision }: { tenant: string; reviewId: string; decision: Decision },
): Promise<Judged> {
  const review = await reviewOf(trx, tenant, reviewId);
  if (!review) return { kind: "none" };
  const wanted = decision === "merge" ? "merged" : "apart";
  const { low, high } = review;
  const nodes = new Map((await readKnown(trx, pairOf(review))).map((node) => [node.leadId, node]));
  const out = [low, high].find((leadId) => !takesPart(nodes.get(leadId) ?? { state: "erased" }));
  const decided = (state: string): Judged =>
    state === wanted
      ? { kind: "done", winner: decision === "merge" ? rootOf(low) : null }
      : { kind: "otherwise", state };
  let rootOf = (leadId: string) => nodes.get(leadId)?.mergedInto ?? leadId;
  if (review.state !== "open") return decided(review.state);
  if (out !== undefined) return { kind: "impossible", why: `lead ${out} takes no part any more` };

  const links = decision === "merge" ? [{ a: low, b: high, kinds: ["review"], weight: 0 }] : [];
  const { roots, refused } = await tie(trx, { links, besides: [low, high], nodes, arriving: new Set() });
  rootOf = (leadId) => roots.get(leadId)!;
  const together = rootOf(low) === rootOf(high);
  if (refused.length > 0)
    return {
      kind: "impossible",
      why: "each is one lead with one that the other, or a double of it, is kept apart from",
    };
  if (decision === "keep_apart" && together)
    return { kind: "impossible", why: "the two have become one lead since: unmerge them instead" };
  if (decision === "merge" && !together)
    return {
      kind: "impossible",
      why: "the lead that one of the two was merged into takes no part any more, or both are dead",
    };
  if (await settleReview(trx, review, wanted)) return decided(wanted);
  return decided((await reviewOf(trx, tenant, reviewId))!.state);
}

const pairOf = ({ tenant, low, high }: ReviewPair) => [low, high].map((leadId) => ({ tenant, leadId }));
