/**
 * A process that spends: `node test/support/spender.ts <name> <tenant> <provider> <seed>`, its settings in the
 * environment. Says "ready", begins when a line comes in, and takes amounts by the seed, several at once, until nothing fits
 * any more; settles some for less, gives some back. With the seed `hang` it reserves once, says so, and never settles.
 * Its last line is JSON: what it was granted, and what it settled.
 */
import { once } from "node:events";
import { loadSettings } from "../../config/settings.ts";
import { Databases } from "../../mixins/knex.ts";
import { capsOf } from "../../services/budget/caps.ts";
import { Ledger } from "../../services/budget/ledger.ts";

const [name, tenant, provider, seed] = process.argv.slice(2) as [string, string, string, string];
/** Reservations of one process that are under way at once. */
const hands = 4;
const settings = loadSettings();
const databases = new Databases(settings);
const ledger = new Ledger({ databases, caps: capsOf(settings), onLevel: () => {} });

/** mulberry32: the same seed, the same amounts. */
function dice(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

await databases.ping();
console.log("ready");
await once(process.stdin, "data");

const order = { tenant, provider, essential: true, holdMs: seed === "hang" ? 500 : 50_000 };
const tally = { granted: 0, spentMicro: 0 };
if (seed === "hang") {
  const effectKey = `${name} hangs`;
  const taken = await ledger.reserve({ ...order, effectKey, amountMicro: 1_000 });
  console.log(JSON.stringify({ ...taken, effectKey }));
  setInterval(() => {}, 60_000);
} else {
  const random = dice(Number(seed));
  const spend = async (hand: number) => {
    let most = 40_000;
    for (let n = 0; most > 0; n++) {
      const effectKey = `${name} ${hand} ${n}`;
      const amountMicro = 1 + Math.floor(random() * most);
      const taken = await ledger.reserve({ ...order, effectKey, amountMicro });
      if (taken.kind === "over") {
        // Smaller ones may still fit: the end is when not even one micro-USD does.
        most = Math.min(most >> 1, amountMicro - 1);
        continue;
      }
      if (taken.kind !== "granted") throw new Error(`unexpected ${taken.kind}`);
      tally.granted++;
      const { reservation } = taken;
      const roll = random();
      if (roll < 0.2) await ledger.release({ tenant, effectKey, reservation });
      else {
        const costMicro = roll < 0.5 ? Math.floor(amountMicro / 2) : amountMicro;
        await ledger.settle({ tenant, effectKey, reservation, costMicro });
        tally.spentMicro += costMicro;
      }
    }
  };
  await Promise.all(Array.from({ length: hands }, (_, hand) => spend(hand)));
  console.log(JSON.stringify(tally));
  await databases.close();
  process.exit(0);
}
