/**
 * What is counted of leads, each with the condition under which a lead counts: over the columns of `analytics_leads` and
 * `bin`, as SQL. docs/analytics.md says what each means. Another measure is another line, and a migration that adds its
 * column and notes all leads.
 */

/** A double is counted once, as its winner; an erased lead has no score any more. */
const counts = "state not in ('merged', 'erased')";

const states = ["in_progress", "completed", "merged", "rejected", "dead", "discarded", "erased"] as const;

/** Scores are counted by tens: 0 to 9, 10 to 19 … 90 to 100. */
export const scoreBins = 10;

/** Which of them a lead's score is in, as SQL; null where it is not counted. Worked out once a lead: ten conditions ask. */
export const bin = `case when ${counts} and score is not null then least(greatest(score, 0) / ${scoreBins}, ${scoreBins - 1}) end`;

/** Column -> condition. */
export const conditions: Record<string, string> = {
  taken_in: "state is not null",
  ...Object.fromEntries(states.map((state) => [state, `state = '${state}'`])),
  ...Object.fromEntries(Array.from({ length: scoreBins }, (_, n) => [`scored_${n}`, `bin = ${n}`])),
  mocked_up: `mocked_up and ${counts}`,
  mailed: "mailed",
  opened: "opened",
  bounced: "bounced",
  complained: "complained",
  unsubscribed: "unsubscribed",
  mail_unknown: "unknown",
};

/** The columns of a table of sums, in their order. */
export const columns = [...Object.keys(conditions), "cost_micro"] as const;
