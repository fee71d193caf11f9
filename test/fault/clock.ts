/**
 * The clocks of a run. What the product waits for in production (an ack wait of 30 s, a lease of 30 s, probes of 1 to
 * 30 s, retries of 1 s to 5 min) is shortened by about the same factor, so that an hour's faults take minutes; the order
 * of the waits stays. A node takes them from its environment by {@link nodeClock}.
 */
export interface Clock {
  /** An envelope that is not acknowledged for so long is delivered again. */
  ackWaitMs: number;
  /** First and longest wait of a retry. */
  retryMs: number;
  retryMaxMs: number;
  /** How long an e-mail stays in the hands of a sender that says nothing more. */
  leaseMs: number;
  /** Moleculer's, in seconds. */
  heartbeatS: number;
  heartbeatTimeoutS: number;
  requestTimeoutMs: number;
  statementTimeoutMs: number;
  /** How long something is frozen: longer than any of the above. */
  freezeMs: number;
  /** How long something is away that comes back by itself: ten minutes of a clock whose probes come 60 times as often. */
  outageMs: number;
}

export const clocks = {
  long: {
    ackWaitMs: 5_000,
    retryMs: 200,
    retryMaxMs: 5_000,
    leaseMs: 5_000,
    heartbeatS: 5,
    heartbeatTimeoutS: 15,
    requestTimeoutMs: 10_000,
    statementTimeoutMs: 2_000,
    freezeMs: 22_000,
    outageMs: 10_000,
  },
  short: {
    ackWaitMs: 1_500,
    retryMs: 50,
    retryMaxMs: 1_000,
    leaseMs: 1_500,
    heartbeatS: 1,
    heartbeatTimeoutS: 5,
    requestTimeoutMs: 5_000,
    statementTimeoutMs: 2_000,
    freezeMs: 6_500,
    outageMs: 2_000,
  },
} as const satisfies Record<string, Clock>;

/**
 * For rows in which nothing may come twice: an envelope that a busy machine has its holder keep for longer than its ack
 * wait comes again, and proves nothing. (In production the ack wait is 30 s.)
 */
const patient: Clock = { ...clocks.short, ackWaitMs: 10_000 };

/** Of the short form; rows in which nothing may come twice stand on a cluster. */
export const shortClock = (cluster: boolean): Clock => (cluster ? patient : clocks.short);

const variable = "FAULT_CLOCK";

export const clockVariable = (clock: Clock): Record<string, string> => ({ [variable]: JSON.stringify(clock) });
export const nodeClock = (): Clock => JSON.parse(process.env[variable]!) as Clock;
