import { plant } from "./plant.ts";

/** Lets a lead go whose retries are used up, without its dead letter. */
plant(
  "mixins/actor/settle.ts",
  "for (const entry of dead) parcels.push(deadParcel(context, entry));",
  "void deadParcel;",
);
