import type { ActionSchema, Context, EventSchema, Service, ServiceSchema } from "moleculer";

/** What a mixin adds to `this`. */
declare const adds: unique symbol;
export type Mixin<Added> = Partial<ServiceSchema> & { readonly [adds]?: Added };
type AddedBy<M> = M extends { readonly [adds]?: infer A } ? A : never;
type All<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

type Handler = (ctx: Context<any, any>) => unknown;
/** `timeout` is missing in Moleculer's types; its timeout middleware reads it. */
type Action = Omit<ActionSchema, "handler"> & { handler: Handler; timeout?: number };
type Event = Omit<EventSchema, "handler"> & { handler: Handler };
interface Parts<Settings, Methods, This> {
  settings?: Settings;
  metadata?: Record<string, unknown>;
  dependencies?: (string | Service.ServiceDependency)[];
  methods?: Methods & ThisType<This>;
  actions?: Record<string, Action | Handler | false> & ThisType<This>;
  events?: Record<string, Event | Handler> & ThisType<This>;
  /** The schema with its mixins, before actions are made of it: what is set by the settings of the process. */
  merged?(this: Pick<Service, "broker">, schema: ServiceSchema): void;
  created?(this: This): void;
  started?(this: This): void | Promise<void>;
  stopped?(this: This): void | Promise<void>;
}

export function defineMixin<Vars extends object = {}>() {
  return <Settings, Methods>(
    schema: Parts<Settings, Methods, Service<Settings> & Methods & Vars>,
  ): Mixin<Methods & Vars> => schema as unknown as Mixin<Methods & Vars>;
}

export function defineService<Settings, Methods, const Mixins extends readonly Mixin<any>[] = []>(
  schema: { name: string; version?: number; mixins?: Mixins } & Parts<
    Settings,
    Methods,
    Service<Settings> & Methods & All<AddedBy<Mixins[number]>>
  >,
): ServiceSchema {
  return schema as unknown as ServiceSchema;
}
