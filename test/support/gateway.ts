import type { Scope } from "../../mixins/keys.ts";
import { createKey } from "../../mixins/keys.ts";
import { eventually } from "./eventually.ts";
import { type MeshOptions, startMesh, type TestMesh } from "./mesh.ts";

/** A mesh with a gateway, and how to call it. */
export interface TestGateway extends TestMesh {
  url: string;
  /** Makes a key of a tenant; waits until the gateway knows it. */
  key(tenant: string, ...scopes: Scope[]): Promise<{ id: string; secret: string }>;
  /** A request with a key's secret; `path` begins with a slash. */
  call(secret: string, path: string, init?: RequestInit): Promise<Response>;
}

/** Starts a gateway and these services. The services named are others than the gateway itself. */
export async function startGateway(options: Partial<MeshOptions> = {}): Promise<TestGateway> {
  const { services = [], ...rest } = options;
  const mesh = await startMesh({ services: ["services/gateway/gateway.service.ts", ...services], ...rest });
  const service = mesh.broker.getLocalService("gateway") as unknown as {
    url: string;
    keys: { find(secret: string): unknown };
  };
  const { url } = service;
  const call = (secret: string, path: string, init: RequestInit = {}) =>
    fetch(url + path, { ...init, headers: { authorization: `Bearer ${secret}`, ...init.headers } });
  return Object.assign(mesh, {
    url,
    call,
    async key(tenant: string, ...scopes: Scope[]) {
      const made = await createKey(mesh.nats, mesh.names, { tenant, scopes });
      await eventually("the gateway learns of a new key", () => service.keys.find(made.secret), { everyMs: 5 });
      return made;
    },
  });
}
