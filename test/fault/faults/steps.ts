import { patienceMs, type RowAct } from "../act.ts";
import { Breakpoint, type Place } from "../breakpoint.ts";
import type { Cuttable } from "../judge.ts";
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
  answered: {
    what: "has an answer that costs, and has not booked it",
    ...{ file: "mixins/provider.ts", line: 'if (sorted.kind !== "good") {', inHand: "1" },
  },
  reserved: {
    what: "has reserved what calls cost, and not said so",
    ...{ file: "services/budget/ledger.ts", line: "this.#tell(budget, windows);", inHand: "orders.length" },
  },
  delivered: {
    what: "has handed an e-mail over, and not said so",
    ...{ file: "services/smtp/smtp.service.ts", line: 'return { kind: "sent" };', inHand: "1" },
  },
  stored: {
    what: "has stored a lead, and not said so",
    ...{ file: "services/gateway/intake-handlers.ts", line: "return accepted(lead.leadId);", inHand: "1" },
  },
  given: {
    what: "has been given envelopes, and moved none",
    ...{ file: "services/admission/admitter.ts", line: "deliveryOf(msg);", inHand: "this.#hand.size" },
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

/**
 * What is cut in two when a process is: whoever asks the provider or keeps its books has a call in hand, whoever hands
 * e-mails over one of them. Those that ask these are told, or ask again and are given the answer that was kept.
 */
export const cutBy: Readonly<Record<string, readonly Cuttable[]>> = {
  pagespeed: ["payments"],
  budget: ["payments"],
  smtp: ["mails"],
  sender: ["mails"],
};

/** kill -9 exactly there: the process stands at the line when it dies. */
export function killAt(name: string, at: keyof typeof places): Fault<RowAct> {
  const place: Place = places[at];
  return {
    what: `${name}: kill -9 when it ${place.what}`,
    cuts: cutBy[name] ?? [],
    async strike(act) {
      const node = act.world.nodes.get(name)!;
      using breakpoint = await Breakpoint.set(node, place);
      if (at === "buried") await act.load.sendPoison();
      // Admission has moved all that came by then. The others have work all the time.
      if (name === "admission") await act.load.import(act.leads);
      act.struck(`${name}, which ${place.what}`, await breakpoint.reached(patienceMs));
      await node.kill();
      act.healed();
    },
  };
}
