/** A process of its own that drafts mock-ups: the stage, the language model and the ledger on the settings of its environment. */
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import budget from "../../services/budget/budget.service.ts";
import anthropic from "../../services/llm/anthropic.service.ts";
import llm from "../../services/llm/llm.service.ts";
import openai from "../../services/llm/openai.service.ts";
import mockup from "../../services/mockup/mockup.service.ts";
import { draftingFlow } from "./stages.ts";

const broker = new ServiceBroker({
  ...brokerOptions(loadSettings(), draftingFlow),
  nodeID: `drafter-${process.pid}`,
  skipProcessEventRegistration: true,
});
for (const service of [{ ...budget, settings: { sweepMs: 200 } }, llm, openai, anthropic, mockup])
  broker.createService(service);
await broker.start();
console.log("ready");
