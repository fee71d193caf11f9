import { NodeTransport } from "nats/lib/src/node_transport.js";

/**
 * Mends a leak of the NATS client (2.29.3): it gives up on a server that takes the connection and says nothing (frozen,
 * behind a line that is cut) after 20 s and tries again, but leaves the socket open, its own and Moleculer's: 60 of them
 * after ten minutes. When the server wakes up each of them speaks, goes stale minutes later, and is then taken for the
 * loss of the connection that works. Loaded once, for all connections of the process; it can go when the client closes what
 * it gives up (`_closed` ignores a transport that never connected).
 */
interface Transport {
  connected: boolean;
  socket?: { destroy(): void };
  close(error?: Error): Promise<void>;
  peekInfo(): Promise<object>;
}

const givenUp = new WeakSet<Transport>();
const transport = NodeTransport.prototype as unknown as Transport;
const { close, peekInfo } = transport;

transport.close = async function (error) {
  if (this.connected) return close.call(this, error);
  givenUp.add(this);
  this.socket?.destroy();
};

/** The first that happens on a new socket: one that was connected too late is waited for by nobody. */
transport.peekInfo = async function () {
  if (!givenUp.has(this)) return peekInfo.call(this);
  throw new Error("connected too late");
};
