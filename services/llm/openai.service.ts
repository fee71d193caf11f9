import { modelService } from "./model.ts";
import { type Answer, bodyOf, completionOf, path, schema, sortError, usageOf } from "./openai.ts";

/** A language model behind an OpenAI-compatible API. docs/providers.md */
export default modelService<Answer>({
  name: "openai",
  key: (settings) => settings.llmKey,
  model: (settings) => settings.llmModel,
  modelSetting: "LEADS_LLM_MODEL",
  baseUrl: (settings) => settings.llmUrl,
  dailyCalls: (settings) => settings.llmDaily,
  path,
  headers: (key) => ({ authorization: `Bearer ${key}` }),
  bodyOf,
  schema,
  usageOf,
  completionOf,
  sortError,
});
