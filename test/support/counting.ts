/** A process that counts business figures in small batches, for tests that kill it. Says `ready`, and the first fault. */
import { loadSettings } from "../../config/settings.ts";
import { Databases } from "../../mixins/knex.ts";
import { Counter } from "../../services/analytics/counter.ts";

const databases = new Databases(loadSettings());
await databases.ping();
new Counter({ databases, everyMs: 5, busyMs: 5, batch: 7, onFault: ({ message }) => console.log(message) }).start();
console.log("ready");
