import { type Answer, bodyOf, completionOf, path, schema, sortError, usageOf, version } from "./anthropic.ts";
import { modelService } from "./model.ts";

/** A language model behind Anthropic's API. docs/providers.md */
export default modelService<Answer>({
  name: "anthropic",
  key: (settings) => settings.anthropicKey,
  model: (settings) => settings.anthropicModel,
  modelSetting: "LEADS_ANTHROPIC_MODEL",
  baseUrl: (settings) => settings.anthropicUrl,
  dailyCalls: (settings) => settings.anthropicDaily,
  path,
  headers: (key) => ({ "x-api-key": key, "anthropic-version": version }),
  bodyOf,
  schema,
  usageOf,
  completionOf,
  sortError,
});
