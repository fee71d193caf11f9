import { plant } from "./plant.ts";

/** Sends every e-mail, and writes of none that it was sent. */
plant("services/email/fates.sql.ts", 'return { ...row, state: "sent" };', 'return { ...row, state: "unknown" };');
