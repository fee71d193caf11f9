/**
 * For each alert: series that are quiet, then bad, then good again, a value a step in promtool's notation, and the
 * steps at which it is silent, fires (with these labels) and is silent again.
 * https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
 */
export interface AlertCase {
  series: Record<string, string>;
  quiet: number;
  firing: number;
  cleared: number;
  /** Of several, where several are to fire. */
  labels?: Record<string, string> | Record<string, string>[];
  /** Series of another mesh, under which it is silent at all of these steps. */
  silent?: Record<string, string>;
  /** Of a step; 1 where it says nothing. */
  minutes?: number;
}

/** Quiet for `quiet` minutes, bad for `bad`, good for an hour. */
const phases = (quiet: string, bad: string, good = quiet) => `${quiet}x20 ${bad}x40 ${good}x80`;
const score = { stage: "score" };

/** Of a histogram: quick for four hours, nothing at all for one, slow for one, then quick. */
const slowAfterRest = ([quick, slow]: [string, string], bucket: (le: string) => string) => {
  const all = "0+100x240 24000+0x60 24000+100x361";
  return {
    [bucket(quick)]: "0+100x240 24000+0x60 24000+0x60 24000+100x300",
    ...{ [bucket(slow)]: all, [bucket("+Inf")]: all },
  };
};

export const alertCases: Record<string, AlertCase> = {
  BacklogWillNotDrain: {
    series: {
      'leads_drain_seconds{stage="score",instance="a"}': phases("30+0", "5000+0", "10+0"),
      'leads_drain_goal_seconds{lane="bulk",instance="a"}': "300+0x200",
      // That is paused drains never.
      'leads_drain_seconds{stage="email",instance="a"}': "31536000+0x140",
      'leads_paused{stage="email",instance="a"}': "1+0x140",
    },
    ...{ quiet: 19, firing: 35, cleared: 70, labels: score },
  },
  OldestTooOld: {
    series: {
      'leads_oldest_age_seconds{stage="score",lane="live",instance="a"}': phases("5+0", "90+0"),
      'leads_oldest_age_seconds{stage="score",lane="bulk",instance="a"}': "90+0x140",
      'leads_drain_goal_seconds{lane="live",instance="a"}': "10+0x140",
      'leads_drain_goal_seconds{lane="bulk",instance="a"}': "300+0x140",
      // That is paused, and its leads wait.
      'leads_oldest_age_seconds{stage="email",lane="live",instance="a"}': "900+60x140",
      'leads_paused{stage="email",instance="a"}': "1+0x140",
      'leads_paused{stage="score",instance="a"}': "0+0x140",
    },
    ...{ quiet: 19, firing: 30, cleared: 70, labels: { ...score, lane: "live" } },
  },
  StageSilent: {
    series: {
      'leads_backlog_leads{stage="score",lane="bulk",state="pending",instance="a"}': "50+0x140",
      'leads_outcomes_total{stage="score",lane="bulk",outcome="forward",instance="p"}':
        "0+100x20 2000+0x40 2000+100x80",
      // Another process reads the other lane.
      'leads_backlog_leads{stage="score",lane="live",state="pending",instance="a"}': "5+0x140",
      'leads_outcomes_total{stage="score",lane="live",outcome="forward",instance="q"}': "0+100x140",
      'leads_paused{stage="score",instance="a"}': "0+0x140",
      // That in an outage is none.
      'leads_backlog_leads{stage="enrich",lane="live",state="pending",instance="a"}': "50+0x140",
      'leads_outage{stage="enrich",dependency="pagespeed",instance="p"}': "1+0x140",
    },
    ...{ quiet: 19, firing: 40, cleared: 70, labels: { ...score, lane: "bulk" } },
  },
  StageInOutage: {
    series: { 'leads_outage{stage="score",dependency="postgres",instance="p"}': phases("0+0", "1+0") },
    ...{ quiet: 19, firing: 30, cleared: 70, labels: { ...score, dependency: "postgres" } },
  },
  StagePaused: {
    series: { 'leads_paused{stage="score",instance="a"}': phases("0+0", "1+0") },
    ...{ quiet: 45, firing: 55, cleared: 70, labels: score },
  },
  DeadLettersRising: {
    series: {
      'leads_outcomes_total{stage="score",lane="live",outcome="dead",instance="p"}': "0+0x20 0+5x40 200+0x80",
      'leads_outcomes_total{stage="score",lane="live",outcome="forward",instance="p"}': "0+100x140",
    },
    ...{ quiet: 19, firing: 40, cleared: 90, labels: score },
  },
  DeadLettersWaiting: {
    series: { 'leads_dead_letters{stage="score",instance="a"}': phases("0+0", "1+0") },
    ...{ quiet: 45, firing: 55, cleared: 70, labels: score },
  },
  RedeliveriesRising: {
    series: {
      'leads_redeliveries_total{stage="score",lane="bulk",instance="p"}': "0+0x20 0+10x40 400+0x80",
      'leads_envelopes_total{stage="score",lane="bulk",instance="p"}': "0+100x140",
    },
    ...{ quiet: 19, firing: 40, cleared: 90, labels: score },
  },
  EndToEndSlow: {
    series: slowAfterRest(["1", "10"], (le) => `leads_end_to_end_seconds_bucket{lane="live",le="${le}",instance="p"}`),
    ...{ quiet: 200, firing: 340, cleared: 460 },
  },
  InstancesAtMaximum: {
    series: {
      'leads_desired_instances{stage="score",instance="a"}': phases("2+0", "8+0"),
      'leads_instances_limit{bound="max",instance="a"}': "8+0x140",
      'leads_instances_limit{bound="min",instance="a"}': "1+0x140",
    },
    // As many as there are, never more and never fewer.
    silent: {
      'leads_desired_instances{stage="score",instance="a"}': "4+0x140",
      'leads_instances_limit{bound="max",instance="a"}': "4+0x140",
      'leads_instances_limit{bound="min",instance="a"}': "4+0x140",
    },
    ...{ quiet: 19, firing: 45, cleared: 70, labels: score },
  },
  InstancesFlapping: {
    series: { 'leads_instances{stage="score",instance="a"}': `2+0x20 ${"1 2 ".repeat(15)}2+0x80` },
    ...{ quiet: 19, firing: 45, cleared: 100, labels: score },
  },
  ApiSlow: {
    series: slowAfterRest(["0.05", "1"], (le) => {
      return `leads_http_duration_seconds_bucket{operation="createLead",le="${le}",instance="p"}`;
    }),
    ...{ quiet: 200, firing: 340, cleared: 460 },
  },
  ErrorBudgetBurning: {
    series: {
      'leads_http_requests_total{operation="createLead",code="2xx",instance="p"}': "0+1000x1000",
      'leads_http_requests_total{operation="createLead",code="5xx",instance="p"}': "0+0x400 0+100x60 6000+0x540",
    },
    ...{ quiet: 399, firing: 440, cleared: 560 },
  },
  BudgetThreeQuarters: {
    series: { 'leads_budget_tenants{window="day",level="75",instance="a"}': phases("0+0", "1+0") },
    ...{ quiet: 19, firing: 30, cleared: 70, labels: { window: "day" } },
  },
  BudgetNearlyUsed: {
    series: { 'leads_budget_tenants{window="month",level="90",instance="a"}': phases("0+0", "2+0") },
    ...{ quiet: 19, firing: 30, cleared: 70, labels: { window: "month" } },
  },
  BudgetUsedUp: {
    series: { 'leads_budget_tenants{window="day",level="100",instance="a"}': phases("0+0", "1+0") },
    ...{ quiet: 19, firing: 30, cleared: 70, labels: { window: "day" } },
  },
  ProviderFailing: {
    series: {
      'leads_provider_calls_total{provider="pagespeed",result="good",instance="p"}': "0+50x140",
      'leads_provider_calls_total{provider="pagespeed",result="down",instance="p"}': "0+0x20 0+20x40 800+0x80",
      'leads_provider_calls_total{provider="places",result="good",instance="p"}': "0+0x140",
      'leads_breakers_open{service="listing-places",instance="p"}': phases("0+0", "1+0"),
      // What guards the way to PostgreSQL is no provider's; one call that failed in a quiet night is one call.
      'leads_breakers_open{service="leads",instance="p"}': "1+0x140",
      'leads_provider_calls_total{provider="yelp",result="good",instance="p"}': "0+0x30 0+1x3 4+0x110",
      'leads_provider_calls_total{provider="yelp",result="unanswered",instance="p"}': "0+0x38 1+0x102",
    },
    ...{ quiet: 19, firing: 45, cleared: 90, labels: [{ provider: "pagespeed" }, { provider: "places" }] },
  },
  BouncesHigh: {
    series: {
      'leads_mail_total{result="sent",instance="p"}': "0+100x400",
      'leads_mail_events_total{kind="hard_bounce",instance="p"}': "0+0x6 0+10x30 300+0x360",
    },
    ...{ minutes: 10, quiet: 5, firing: 30, cleared: 300 },
  },
  ComplaintsHigh: {
    series: {
      'leads_mail_total{result="sent",instance="p"}': "0+100x400",
      'leads_mail_events_total{kind="complaint",instance="p"}': "0+0x6 0+10x6 60+0x380",
    },
    ...{ minutes: 10, quiet: 5, firing: 12, cleared: 300 },
  },
  MailOverdue: {
    series: { 'leads_mail_overdue_seconds{instance="a"}': phases("2+0", "2400+0") },
    ...{ quiet: 19, firing: 35, cleared: 70 },
  },
  MailUnreached: {
    series: {
      'leads_mail_total{result="sent",instance="p"}': "0+10x20 200+0x40 200+10x80",
      'leads_mail_total{result="unreached",instance="p"}': "0+0x20 0+2x40 80+0x80",
    },
    ...{ quiet: 19, firing: 50, cleared: 75 },
  },
  PoolUsedUp: {
    series: { 'leads_pool_waiting{database="main",instance="p"}': phases("0+0", "3+0") },
    ...{ quiet: 19, firing: 30, cleared: 70, labels: { database: "main", instance: "p" } },
  },
  DiskFilling: {
    series: {
      'node_filesystem_avail_bytes{mountpoint="/",fstype="ext4",instance="n"}': phases("50e9+0", "5e9+0").replace(
        /(\d+)e9/g,
        (_, n) => `${n}000000000`,
      ),
      'node_filesystem_size_bytes{mountpoint="/",fstype="ext4",instance="n"}': "100000000000+0x300",
    },
    ...{ quiet: 15, firing: 45, cleared: 139, labels: { mountpoint: "/", fstype: "ext4", instance: "n" } },
  },
  MemoryFilling: {
    series: {
      'leads_process_memory_bytes{instance="p"}': phases("200+0", "950+0"),
      'leads_process_memory_limit_bytes{instance="p"}': "1000+0x140",
    },
    ...{ quiet: 19, firing: 35, cleared: 70, labels: { instance: "p" } },
  },
  StoreFilling: {
    series: {
      'leads_stream_bytes{stream="leads-dead",instance="a"}': phases("100+0", "900+0"),
      'leads_stream_limit_bytes{stream="leads-dead",instance="a"}': "1000+0x140",
    },
    ...{ quiet: 19, firing: 35, cleared: 70, labels: { stream: "leads-dead" } },
  },
  EventLoopLate: {
    series: { 'leads_event_loop_delay_seconds{quantile="0.99",instance="p"}': phases("0.01+0", "0.9+0") },
    ...{ quiet: 19, firing: 35, cleared: 70, labels: { quantile: "0.99", instance: "p" } },
  },
  NoScrape: {
    series: {
      'up{job="process",instance="p"}': phases("1+0", "0+0", "1+0"),
      'up{job="cluster",instance="a"}': "1+0x140",
    },
    ...{ quiet: 19, firing: 35, cleared: 70, labels: { job: "process", instance: "p" } },
  },
  ClusterUnread: {
    series: { 'leads_source_up{source="nats",instance="a"}': phases("1+0", "0+0", "1+0") },
    ...{ quiet: 19, firing: 35, cleared: 70, labels: { source: "nats" } },
  },
};
