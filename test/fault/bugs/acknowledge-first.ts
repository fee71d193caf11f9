import { plant } from "./plant.ts";

/** Acknowledges a batch when it is read, before anything of it is committed, and goes on when the server has heard it. */
plant(
  "mixins/actor/worker.ts",
  "this.#steps.decode(deliveries));",
  "this.#steps.decode(deliveries)); for (const delivery of deliveries) delivery.msg.respond(ackBody.ack); await this.#o.nc.flush();",
);
