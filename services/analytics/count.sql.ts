import type { Knex } from "knex";
import { planned } from "../../mixins/knex.ts";
import { bin, columns, conditions } from "./measures.ts";

/**
 * The statements that keep the business figures. A lead is counted as what its row in `analytics_leads` says; counted anew
 * it is taken off the sums as that and put on them as what it is now. So a repeat changes nothing, and whatever moves a
 * lead (a merge, its undoing, an erasure, a redrive) moves its counts. Only who holds the lock counts, and readers wait
 * for nobody.
 */

/** The number says "analytics". */
const lock = "0x616e, 0";

/**
 * Leads from the notes, or named ones. Reads analytics_changes from its beginning, without an index: what was there is gone.
 * The limit is out of the planner's sight, so that it keeps its plan (mixins/knex.ts `unseen`): it takes as long as the rest.
 */
const fromNotes = `taken as (
    delete from analytics_changes where ctid = any(array(select ctid from analytics_changes limit (select cast(:most as int))))
    returning tenant, lead_id, day, cost_micro
  )`;
const fromNames = `taken as (
    select cast(:tenant as text) as tenant, lead_id, cast(null as date) as day, cast(0 as bigint) as cost_micro
    from unnest(cast(:leadIds as uuid[])) lead_id
  )`;

const own = `day, source, vertical, zip, state, score, rules, mocked_up, mailed, opened, bounced, complained, unsubscribed,
    unknown, cost_micro`;
const ownColumns = own.split(/,\s+/);

/** What a score says that fired, as long as the lead is counted with its score. Leads die misshapen: no list is none. */
const fired = `case when l.state not in ('merged', 'erased') and jsonb_typeof(l.score_detail->'fired') = 'array'
          then l.score_detail->'fired' end`;
/** The rules in it, with the ids that they have in analytics_rules: what is indexed is cut, and what is no rule is none. */
const rulesIn = (told: string) => `(
        select hashtextextended(text, 0) as rule_id, f from (
          select f, cast(f as text) as text from jsonb_array_elements(${told}) f where jsonb_typeof(f) = 'object' offset 0
        ) f where length(text) <= 300
      )`;

const sums = Object.entries(conditions).map(
  ([column, condition]) => `coalesce(sum(sign) filter (where ${condition}), 0) as ${column}`,
);
const sumsTo = (table: string, keys: string) => `${table}_delta as (
    select * from (
      select ${keys}, ${sums.join(", ")}, sum(sign * cost_micro) as cost_micro from moves group by ${keys}
    ) d where (${columns.map((c) => `d.${c} <> 0`).join(" or ")})
  ), ${table}_kept as (
    insert into ${table} (${keys}, ${columns.join(", ")})
    select ${keys}, ${columns.join(", ")} from ${table}_delta order by ${keys}
    on conflict (${keys}) do update set ${columns.map((c) => `${c} = ${table}.${c} + excluded.${c}`).join(", ")}
    returning ${keys}, ${columns.map((c) => `${table}.${c} = 0`).join(" and ")} as is_nothing
  )`;

const dayKeys = "tenant, day, source, vertical";
const zipKeys = "tenant, day, zip";

/**
 * Counts leads anew, in one statement: one snapshot of notes and leads. A change that it does not see has a note that it
 * does not see either. Each look-up is by a primary key, kept apart by `offset 0`, so that none is planned over a whole
 * table. Writes analytics_leads and the sums, which nobody else does.
 */
const countOf = (taken: string) => `with ${taken}, changed as materialized (
    select tenant, lead_id, min(day) as day, sum(cost_micro) as cost_micro
    from taken where lead_id is not null group by tenant, lead_id
  ), looked as materialized (
    select c.tenant, c.lead_id, coalesce(l.day, least((was).day, c.day)) as day, coalesce(l.source, '') as source,
      coalesce(l.vertical, '') as vertical, coalesce(l.zip, '') as zip, l.state, l.score,
      l.fired, coalesce(l.rules, '{}') as rules, coalesce(l.mocked_up, false) as mocked_up,
      m.*, coalesce((was).cost_micro, 0) + c.cost_micro as cost_micro, was
    from changed c
    left join lateral (
      select b as was from analytics_leads b where b.lead_id = c.lead_id and b.tenant = c.tenant offset 0) b on true
    left join lateral (
      select l.*, array(select rule_id from ${rulesIn("l.fired")} r) as rules from (
        select cast(l.accepted_at at time zone 'UTC' as date) as day, left(l.source, 64) as source,
          left(l.vertical, 64) as vertical, left(l.zip, 16) as zip, l.state, l.score, ${fired} as fired,
          l.mockup is not null as mocked_up
        from leads l where l.lead_id = c.lead_id and l.tenant = c.tenant offset 0
      ) l
    ) l on true
    cross join lateral (
      select coalesce(bool_or(was_sent), false) as mailed, coalesce(bool_or(was_sent and opened), false) as opened,
        coalesce(bool_or(state = 'bounced'), false) as bounced,
        coalesce(bool_or(state = 'complained'), false) as complained,
        coalesce(bool_or(was_sent and exists (
          select from suppressions s
          where s.address = o.address and s.tenant = o.tenant and s.reason = 'unsubscribed' offset 0)), false) as unsubscribed,
        coalesce(bool_or(state = 'unknown'), false) as unknown
      from (
        select tenant, address, state, opened, state in ('sent', 'bounced', 'complained') as was_sent
        from outbox o where o.lead_id = c.lead_id and o.tenant = c.tenant offset 0
      ) o
    ) m
  ), after as materialized (
    select * from looked
    -- One that is neither on record nor costs: nobody's note.
    where day is not null
  ), named as (
    insert into analytics_rules (rule_id, fired)
    select distinct on (rule_id) rule_id, f
    from (select distinct fired from after) a cross join lateral ${rulesIn("fired")} r order by rule_id
    on conflict do nothing
  ), counted as (
    insert into analytics_leads (tenant, lead_id, ${own})
    select tenant, lead_id, ${own} from after order by lead_id, tenant
    on conflict (lead_id, tenant) do update set ${ownColumns.map((c) => `${c} = excluded.${c}`).join(", ")}
    where (${ownColumns.map((c) => `analytics_leads.${c}`).join(", ")})
      is distinct from (${ownColumns.map((c) => `excluded.${c}`).join(", ")})
  ), moves as materialized (
    select m.*, ${bin} as bin from (
      select cast(1 as int) as sign, tenant, ${own} from after
      union all select cast(-1 as int), tenant, ${ownColumns.map((c) => `(was).${c}`).join(", ")}
        from looked where (was).tenant is not null
      union all select cast(1 as int), tenant, day, '', '', '', null, null, '{}', ${ownColumns
        .slice(ownColumns.indexOf("mocked_up"), -1)
        .map(() => "false")
        .join(", ")}, cost_micro
        from taken where lead_id is null
    ) m
  ), ${sumsTo("analytics_days", dayKeys)}, ${sumsTo("analytics_zips", zipKeys)}, rules_delta as (
    select tenant, day, rule_id, sum(sign) as leads, sum(sign * score) as scores
    from moves cross join lateral unnest(rules) rule_id where score is not null
    group by tenant, day, rule_id having sum(sign) <> 0 or sum(sign * score) <> 0
  ), rules_kept as (
    insert into analytics_rule_days (tenant, day, rule_id, leads, scores)
    select tenant, day, rule_id, leads, scores from rules_delta order by tenant, day, rule_id
    on conflict (tenant, day, rule_id) do update
      set leads = analytics_rule_days.leads + excluded.leads, scores = analytics_rule_days.scores + excluded.scores
    returning tenant, day, rule_id, analytics_rule_days.leads = 0 as is_nothing
  )
  select (select count(*)::int from taken) as taken,
    (select json_agg(n) from (select ${dayKeys} from analytics_days_kept where is_nothing) n) as days,
    (select json_agg(n) from (select ${zipKeys} from analytics_zips_kept where is_nothing) n) as zips,
    (select json_agg(n) from (select tenant, day, cast(rule_id as text) as rule_id from rules_kept where is_nothing) n) as rules`;

const notes = countOf(fromNotes);
const names = countOf(fromNames);

interface Counted {
  taken: number;
  days: object[] | null;
  zips: object[] | null;
  rules: object[] | null;
}

/** Takes away sums that have come down to nothing: they would tell where an erased lead was. By primary keys. */
async function dropEmpty(trx: Knex.Transaction, { days, zips, rules }: Counted): Promise<void> {
  if (days)
    await trx.raw(
      `delete from analytics_days d using jsonb_to_recordset(?::jsonb) as n(tenant text, day date, source text, vertical text)
       where d.tenant = n.tenant and d.day = n.day and d.source = n.source and d.vertical = n.vertical`,
      [JSON.stringify(days)],
    );
  if (zips)
    await trx.raw(
      `delete from analytics_zips z using jsonb_to_recordset(?::jsonb) as n(tenant text, day date, zip text)
       where z.tenant = n.tenant and z.day = n.day and z.zip = n.zip`,
      [JSON.stringify(zips)],
    );
  if (rules)
    await trx.raw(
      `delete from analytics_rule_days r using jsonb_to_recordset(?::jsonb) as n(tenant text, day date, rule_id bigint)
       where r.tenant = n.tenant and r.day = n.day and r.rule_id = n.rule_id`,
      [JSON.stringify(rules)],
    );
}

/**
 * Counts leads that are noted, `most` notes at the most, in the caller's transaction. Answers how many notes there were;
 * null when somebody else is at it. Fewer than `most`: all is counted that was committed before, and that is written down.
 * The plan is kept from the first time on, not from the sixth: it takes 10 to 20 ms, and each connection makes its own. What
 * ten thousand leads are counted as stays in memory.
 */
export async function countNoted(trx: Knex.Transaction, most: number): Promise<number | null> {
  const { rows: locked } = await trx.raw<{ rows: [{ had: boolean }] }>(
    `select pg_try_advisory_xact_lock(${lock}) as had, set_config('plan_cache_mode', 'force_generic_plan', true),
       set_config('work_mem', '32MB', true)`,
  );
  if (!locked[0].had) return null;
  const { rows } = await planned("analytics_count", trx.raw<{ rows: [Counted] }>(notes, { most }));
  await dropEmpty(trx, rows[0]);
  if (rows[0].taken < most) await trx.raw("update analytics_counted set at = transaction_timestamp()");
  return rows[0].taken;
}

/** Counts these leads anew now, in the caller's transaction, whatever is noted. Waits for who is counting. */
export async function countNamed(trx: Knex.Transaction, tenant: string, leadIds: readonly string[]): Promise<void> {
  await trx.raw(`select pg_advisory_xact_lock(${lock})`);
  const { rows } = await trx.raw<{ rows: [Counted] }>(names, { tenant, leadIds: `{${leadIds.join(",")}}` });
  await dropEmpty(trx, rows[0]);
}

/** Gives the room of notes that were taken away to new ones, at once: autovacuum may come a minute and a million later. */
export async function tidyNotes(knex: Knex): Promise<void> {
  await knex.raw("vacuum (truncate false) analytics_changes");
}
