import { patienceMs, type RowAct } from "../act.ts";
import { Breakpoint, type Place } from "../breakpoint.ts";
import type { Fault } from "../rows.ts";

const worker = "mixins/actor/worker.ts";

/** Between which two steps a process can be killed: each is a moment at which the order of its steps is all that holds. */
export const places = {
  read: { what: "has read a batch, and done nothing yet", file: worker, line: "new Trail(", inHand: "entries.length" },
  committed: {
    what: "has committed a batch, and not passed it on",
    ...{ file: "mixins/actor/steps.ts", line: "settle(entries, {", inHand: "entries.length" },
  },
  passedOn: {
    what: "has passed a batch on, and not acknowledged it",
    ...{ file: worker, line: "of deliveries) this.#letGo(delivery, ackBody.ack)", inHand: "deliveries.length" },
  },
  buried: {
    what: "has buried a lead, and not acknowledged it",
    ...{
      file: worker,
      line: "of deliveries) this.#letGo(delivery, ackBody.ack)",
      inHand: "dead.size",
      when: "dead.size > 0",
    },
  },
  told: {
    what: "has been given notes, and written nothing",
    ...{ file: "services/leads/reader.ts", line: "await write(messages);", inHand: "messages.length" },
  },
  written: {
    what: "has written its notes, and not acknowledged them",
    ...{ file: "services/leads/reader.ts", line: "message.ack()", inHand: "messages.length" },
  },
  fetched: {
    what: "has fetched a site, and not said what stands there",
    ...{ file: "services/site/visitor.ts", line: "return readPage(page,", inHand: "1" },
  },
  moved: {
    what: "has moved an envelope, and not acknowledged it",
    ...{ file: "services/admission/admitter.ts", line: "msg.respond(ackBody.ack)", inHand: "1" },
  },
  sent: {
    what: "has sent an e-mail, and not written that down",
    ...{ file: "services/email/sender.ts", line: "this.#note(fate)", inHand: "1", when: 'fate.kind === "sent"' },
  },
} as const satisfies Record<string, Place>;

/** kill -9 exactly there: the process stands at the line when it dies. */
export function killAt(name: string, at: keyof typeof places): Fault<RowAct> {
  const place: Place = places[at];
  return {
    what: `${name}: kill -9 when it ${place.what}`,
    async strike(act) {
      const node = act.world.nodes.get(name)!;
      using breakpoint = await Breakpoint.set(node, place);
      if (at === "buried") await act.load.sendPoison();
      // Admission has moved all that came by then. The others have work all the time.
      if (at === "moved") await act.load.import(act.leads);
      act.struck(`${name}, which ${place.what}`, await breakpoint.reached(patienceMs));
      await node.kill();
      act.healed();
    },
  };
}
