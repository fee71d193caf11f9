/** Lines between a process and its servers that can be cut: through toxiproxy where it can be had, else through ours. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ServerKind } from "../../bin/stack/server.ts";
import { cacheDir, onPath, run } from "../../bin/stack/tools.ts";
import { startProxy } from "../support/proxy.ts";
import { homeDir, own } from "../support/servers.ts";

export interface Line {
  /** The server, by way of this line. */
  url: string;
  /** Nothing passes from now on, in neither direction, and nobody is told. */
  silence(): Promise<void>;
  /** What was silent is closed; new connections work. */
  restore(): Promise<void>;
}

export interface Lines extends AsyncDisposable {
  /** What they are made of. */
  by: "toxiproxy" | "node";
  open(name: string, target: string): Promise<Line>;
}

const goModule = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0";

/** toxiproxy on PATH, or built before; `build`: else by `go install`. Undefined where there is none. */
async function findToxiproxy(build: boolean, log: (line: string) => void): Promise<string | undefined> {
  const found = onPath("toxiproxy-server") ?? onPath("toxiproxy");
  if (found) return found;
  const cache = cacheDir(join(homeDir(), "bin"));
  const built = join(cache, "server");
  if (existsSync(built)) return built;
  const go = onPath("go");
  if (!build || !go) return undefined;
  log(`building toxiproxy: go install ${goModule}`);
  try {
    await run(go, ["install", goModule], { GOBIN: cache });
    return built;
  } catch (error) {
    log(`toxiproxy cannot be had, our own proxy takes its place: ${(error as Error).message}`);
    return undefined;
  }
}

export async function openLines(build: boolean, log: (line: string) => void): Promise<Lines> {
  const binary = await findToxiproxy(build, log);
  return binary ? toxiLines(binary) : ownLines();
}

function ownLines(): Lines {
  const stack = new AsyncDisposableStack();
  return {
    by: "node",
    async open(_name, target) {
      const proxy = stack.use(await startProxy(target));
      return { url: proxy.url, silence: async () => proxy.silence(), restore: async () => proxy.restore() };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function toxiLines(binary: string): Promise<Lines> {
  const kind: ServerKind = {
    name: "toxiproxy",
    command: ({ port }) => ({ file: binary, args: ["-host", "127.0.0.1", "-port", String(port)] }),
    url: ({ port }) => `http://127.0.0.1:${port}`,
    stopSignal: "SIGTERM",
    isReady: async (url) => (await fetch(`${url}/version`)).ok,
  };
  const server = await own(kind);
  /** https://github.com/Shopify/toxiproxy#http-api */
  const api = async (method: string, path: string, body?: object): Promise<any> => {
    const answer = await fetch(server.url + path, { method, ...(body && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  };
  const streams = ["upstream", "downstream"];
  return {
    by: "toxiproxy",
    async open(name, target) {
      const { listen } = await api("POST", "/proxies", {
        name,
        listen: "127.0.0.1:0",
        upstream: new URL(target).host,
        enabled: true,
      });
      const url = new URL(target);
      url.hostname = "127.0.0.1";
      url.port = listen.slice(listen.lastIndexOf(":") + 1);
      const toxics = `/proxies/${name}/toxics`;
      return {
        url: url.href,
        // A timeout of 0 drops all that comes and closes nothing, until the toxic is taken away.
        async silence() {
          for (const stream of streams)
            await api("POST", toxics, { name: stream, type: "timeout", stream, attributes: { timeout: 0 } });
        },
        async restore() {
          for (const stream of streams) await api("DELETE", `${toxics}/${stream}`);
        },
      };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
