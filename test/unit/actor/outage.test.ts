import assert from "node:assert/strict";
import { isOutage, OutageGate, type OutageState } from "../../../mixins/actor/outage.ts";
import { LeadsError, outage } from "../../../mixins/errors.ts";
import { eventually } from "../../support/eventually.ts";

function aGate(probe: (dependency: string) => (() => Promise<unknown>) | undefined = () => undefined, maxMs = 20) {
  const abort = new AbortController();
  const told: (OutageState | null)[] = [];
  const gate = new OutageGate({
    probeMinMs: 4,
    probeMaxMs: maxMs,
    signal: abort.signal,
    onChange: (state) => told.push(state),
    probe,
  });
  return { gate, abort, told };
}

describe("the outage gate", () => {
  it("knows an outage by the error's type alone, as it comes over the wire", () => {
    for (const type of ["OUTAGE", "SERVICE_NOT_AVAILABLE", "SERVICE_NOT_FOUND", "REQUEST_TIMEOUT", "REQUEST_REJECTED"])
      assert.equal(isOutage({ type }), true);
    for (const error of [new Error("x"), new LeadsError("VALIDATION", "x"), null, undefined, "OUTAGE"])
      assert.equal(isOutage(error), false);
  });

  it("lets work and its errors through while all is well", async () => {
    const { gate, told } = aGate();
    assert.equal(await gate.through("handle", async () => 7), 7);
    await assert.rejects(
      gate.through("handle", () => Promise.reject(new Error("bad"))),
      /bad/,
    );
    assert.deepEqual(told, []);
  });

  it("lets one look at a time, and all go on when it is over", async () => {
    const { gate, told } = aGate();
    let down = true;
    let inWork = 0;
    let most = 0;
    let looks = 0;
    const work = async () => {
      if (gate.state) {
        looks++;
        most = Math.max(most, ++inWork);
        await new Promise((resolve) => setTimeout(resolve, 2));
        inWork--;
      }
      if (down) throw outage("llm");
    };
    const all = Promise.all(Array.from({ length: 20 }, () => gate.through("handle", work)));
    await eventually("some looks", () => looks >= 5);
    down = false;
    await all;
    assert.equal(most, 1);
    assert.deepEqual(
      told.map((state) => state?.dependency ?? null),
      ["llm", null],
    );
  });

  it("wakes those who wait as soon as it is over, not when their turn to look would have come", async () => {
    const { gate } = aGate(() => undefined, 60_000);
    let down = true;
    let calls = 0;
    const work = async () => {
      if (calls++ < 6 || down) throw outage("llm");
    };
    const startedAt = performance.now();
    const all = Promise.all([1, 2, 3].map(() => gate.through("handle", work)));
    await eventually("an outage", () => gate.state);
    down = false;
    await all;
    assert.ok(performance.now() - startedAt < 2_000);
  });

  it("asks the probe before it lets a batch try", async () => {
    let up = false;
    let probes = 0;
    const { gate } = aGate(() => async () => {
      probes++;
      if (!up) throw new Error("down");
    });
    let runs = 0;
    const done = gate.through("handle", async () => {
      if (runs++ === 0) throw outage("postgres");
    });
    await eventually("some probes", () => probes >= 3);
    assert.equal(runs, 1);
    up = true;
    await done;
    assert.equal(runs, 2);
  });

  it("gives up on a batch whose dependency answers every probe", async () => {
    const { gate } = aGate(() => async () => {});
    let runs = 0;
    const work = async () => {
      runs++;
      throw outage("postgres");
    };
    await assert.rejects(gate.through("handle", work), { type: "OUTAGE" });
    assert.equal(runs, 4);
    assert.equal(gate.state, null);
  });

  it("gives up on a batch that alone meets the outage, and lets the others pass meanwhile", async () => {
    const { gate } = aGate();
    let given: unknown;
    const alone = gate
      .through("handle", () => Promise.reject(outage("llm")))
      .catch((error) => {
        given = error;
      });
    let passed = 0;
    while (given === undefined && passed < 100) {
      await gate.through("handle", async () => {});
      passed++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await alone;
    assert.equal((given as LeadsError).type, "OUTAGE");
    assert.ok(passed < 100);
    assert.equal(gate.state, null);
  });

  it("never gives up while nobody passes", async () => {
    const { gate, abort } = aGate();
    let runs = 0;
    const work = async () => {
      runs++;
      throw outage("llm");
    };
    const all = Promise.allSettled([1, 2, 3].map(() => gate.through("handle", work)));
    await eventually("many looks", () => runs > 30);
    abort.abort(new Error("stopped"));
    for (const one of await all) assert.match(String((one as PromiseRejectedResult).reason), /stopped/);
  });

  it("takes no pass of the handler as a sign that what the checkpoint needs is back", async () => {
    const { gate, abort } = aGate();
    let runs = 0;
    const checkpoint = gate.through("checkpoint", async () => {
      runs++;
      throw outage("llm");
    });
    checkpoint.catch(() => {});
    await eventually("an outage", () => gate.state);
    for (let n = 0; n < 10; n++) await gate.through("handle", async () => {});
    assert.equal(gate.state?.dependency, "llm");
    await eventually("more looks", () => runs > 5);
    abort.abort(new Error("stopped"));
    await assert.rejects(checkpoint, /stopped/);
  });

  it("says so when another dependency turns out to be down", async () => {
    const { gate, told } = aGate();
    const errors = [outage("postgres"), outage("llm")];
    await gate.through("handle", async () => {
      const error = errors.shift();
      if (error) throw error;
    });
    assert.deepEqual(
      told.map((state) => state?.dependency ?? null),
      ["postgres", "llm", null],
    );
  });

  it("leaves no batch behind when the stage stops", async () => {
    const { gate, abort } = aGate(() => undefined, 60_000);
    const all = Promise.allSettled(
      Array.from({ length: 10 }, () => gate.through("handle", () => Promise.reject(outage("llm")))),
    );
    await eventually("an outage", () => gate.state);
    abort.abort(new Error("stopped"));
    assert.equal((await all).filter(({ status }) => status === "rejected").length, 10);
  });
});
