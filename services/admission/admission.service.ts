import { Publisher } from "../../mixins/actor/publisher.ts";
import { ensureMailbox, ensureShared, stageOptions } from "../../mixins/jetstream.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { Admitter } from "./admitter.ts";

const vars = defineMixin<{ admitter: Admitter; publisher: Publisher }>()({});

/** Lets bulk leads in: fair between tenants, and no more of them than the stages can work off within a second or two. */
export default defineService({
  name: "admission",
  mixins: [vars],
  created() {
    const { settings, onDrain } = resourcesOf(this.broker);
    onDrain(async () => {
      await this.admitter?.stop(settings.drainMs / 2);
      this.publisher?.close();
    });
  },
  async started() {
    const { nats, names, settings, flow } = resourcesOf(this.broker);
    const nc = await nats();
    const first = stageOptions(flow[0]!.name, flow);
    await ensureShared(nc, names, settings);
    await Promise.all(flow.map(({ name }) => ensureMailbox(nc, names, stageOptions(name, flow), settings)));
    this.publisher = new Publisher(nc);
    this.admitter = new Admitter({
      nc,
      names,
      publisher: this.publisher,
      stages: flow.map(({ name }) => name),
      limit: settings.mailboxEnvelopes || first.maxEnvelopes,
      log: (level, message, fields) => this.logger[level](message, fields),
    });
    this.admitter.start();
  },
});
