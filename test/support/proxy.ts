import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy that can fall silent: it keeps its connections open and forwards nothing more, as a dead switch does. */
export interface Proxy extends AsyncDisposable {
  url: string;
  /** From now on the connections that exist carry nothing; new ones work. */
  cut(): void;
  /** From now on no connection carries anything, new ones neither. */
  silence(): void;
  /** From now on every connection is closed, new ones too. */
  refuse(): void;
  /** Ends the connections that were silent; new ones work. */
  restore(): void;
}

export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<[Socket, Socket]>();
  const silent = new Set<Socket>();
  let isSilent = false;
  let isRefusing = false;
  const server = createServer((client) => {
    if (isRefusing) {
      client.destroy();
      return;
    }
    if (isSilent) {
      silent.add(client.resume());
      client.on("error", () => {});
      return;
    }
    const upstream = connect(Number(port), hostname);
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    client.pipe(upstream);
    upstream.pipe(client);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  const cut = () => {
    for (const [client, upstream] of pairs) {
      client.unpipe(upstream);
      upstream.unpipe(client);
      // Read on and throw away: neither side may notice by a full buffer.
      silent.add(client.resume());
      silent.add(upstream.resume());
    }
  };
  return {
    url: url.href,
    cut,
    silence() {
      isSilent = true;
      cut();
    },
    refuse() {
      isRefusing = true;
      for (const pair of pairs) for (const socket of pair) socket.destroy();
    },
    restore() {
      isSilent = false;
      isRefusing = false;
      for (const socket of silent) socket.destroy();
      silent.clear();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of silent) socket.destroy();
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
