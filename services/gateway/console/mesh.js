import { useLoad } from "./api.js";
import { bytes, count, num, span } from "./format.js";
import { html } from "./html.js";
import { Badge, Card, Head, Loaded, Meter } from "./ui.js";

/** @param {{ node: any }} props */
const Node = ({ node }) =>
  html`<li class="mesh-node">
    <div class="job-head"><strong class="mono">${node.id}</strong><${Badge} state=${node.available ? "available" : "offline"} label=${node.available ? "up" : "gone"} /></div>
    <p class="muted small">${[node.hostname, node.address, node.node && `Node ${node.node}`].filter(Boolean).join(" · ")}</p>
    ${node.cpuPercent !== undefined && html`<div class="cpu"><span class="small muted">CPU ${Math.round(node.cpuPercent)} %</span><${Meter} label=${`CPU of ${node.id}`} value=${node.cpuPercent} of=${100} tone=${node.cpuPercent > 90 ? "warn" : ""} /></div>`}
    <details><summary>${count(node.services.length, "service")}</summary><p class="small">${node.services.join(", ")}</p></details>
  </li>`;

/** @param {{ stream: any }} props */
function StreamRows({ stream }) {
  // Watches of buckets and the like, by names that the server made.
  const lasting = stream.consumers.filter((/** @type {any} */ { name }) => !/^[A-Z0-9]{20,}$/.test(name));
  const passing = stream.consumers.length - lasting.length;
  const share = stream.limitBytes ? stream.bytes / stream.limitBytes : 0;
  return html`<tr class="stream">
      <th scope="row" class="mono">${stream.name}</th><td class="n">${num(stream.messages)}</td>
      <td class=${`n ${share > 0.8 ? "warn-text" : ""}`}>${bytes(stream.bytes)}${stream.limitBytes ? html` <span class="muted small">of ${bytes(stream.limitBytes)}</span>` : ""}</td>
      <td class="n">${span(stream.oldestMs)}</td><td class="n" /><td class="n" />
    </tr>
    ${
      passing > 0 &&
      html`<tr class="consumer"><th scope="row" colspan="6">${count(passing, "passing reader")}</th></tr>`
    }
    ${lasting.map(
      (/** @type {any} */ consumer) => html`<tr key=${consumer.name} class="consumer">
        <th scope="row"><span class="mono">${consumer.name}</span></th><td class="n">${num(consumer.pending)} <span class="muted small">pending</span></td>
        <td class="n">${num(consumer.unacknowledged)} <span class="muted small">in hand</span></td><td class="n">${span(consumer.oldestMs)}</td>
        <td class=${`n ${consumer.redelivered > 0 ? "warn-text" : ""}`}>${num(consumer.redelivered)}</td><td class="n">${num(consumer.waiting)}</td>
      </tr>`,
    )}`;
}

export function MeshPage() {
  const nodes = useLoad("/v1/nodes", 5_000);
  const streams = useLoad("/v1/streams", 5_000);
  return html`<${Head} title="Nodes and streams" sub="What the mesh runs on, and what JetStream holds." />
    <${Card} title="Nodes" aside=${nodes.data && html`<span class="muted small">${count(nodes.data.nodes.filter((/** @type {any} */ n) => n.available).length, "node")} up</span>`}>
      <${Loaded} load=${nodes}>${(/** @type {any} */ data) => html`<ul class="mesh-nodes">${data.nodes.map((/** @type {any} */ node) => html`<${Node} key=${node.id} node=${node} />`)}</ul>`}<//>
    <//>
    <${Card} title="Streams" aside=${streams.data && html`<span class="muted small">${bytes(streams.data.store.bytes)}${streams.data.store.limitBytes ? ` of ${bytes(streams.data.store.limitBytes)}` : ""} stored</span>`}>
      <${Loaded} load=${streams}>
        ${(
          /** @type {any} */ data,
        ) => html`<div class="scroll-x" tabindex="0" role="region" aria-label="Streams and consumers">
          <table class="table streams">
            <thead><tr><th>Stream, consumer</th><th class="n">Messages</th><th class="n">Store</th><th class="n">Oldest</th><th class="n">Redelivered</th><th class="n">Pulls waiting</th></tr></thead>
            <tbody>${data.streams.map((/** @type {any} */ stream) => html`<${StreamRows} key=${stream.name} stream=${stream} />`)}</tbody>
          </table>
        </div>`}
      <//>
    <//>`;
}
