import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { EventHub, streamsAKey } from "../../mixins/http/events.ts";

/** A socket that takes nothing more once it is `stuck`. */
class Answer extends EventEmitter {
  text = "";
  writableLength = 0;
  stuck = false;
  ended = false;
  write(text: string) {
    if (this.stuck) this.writableLength += text.length;
    this.text += text;
  }
  end() {
    this.ended = true;
    this.emit("close");
  }
  destroy() {
    this.end();
  }
}

describe("the hub of events", () => {
  const listener = { keyId: "k", tenant: "acme", platform: false, isValid: () => true };
  const open = (hub: EventHub, given: Partial<typeof listener> = {}) => {
    const answer = new Answer();
    hub.open(answer as unknown as ServerResponse, { ...listener, ...given });
    return answer;
  };

  it("tells a tenant its own, and a platform key everything", () => {
    const hub = new EventHub();
    const [mine, platform] = [open(hub), open(hub, { platform: true })];
    hub.tell({ event: "a", tenant: "acme", data: 1 });
    hub.tell({ event: "b", tenant: "zenith", data: 2 });
    hub.tell({ event: "c", tenant: null, data: 3 });
    assert.match(mine.text, /event: a\ndata: 1\n\n$/);
    assert.match(platform.text, /event: a\n.*event: b\n.*event: c\n/s);
    hub.close();
    assert.ok(mine.ended && platform.ended);
  });

  it("keeps a bounded part for one who reads slowly, and says how much was left out", () => {
    const hub = new EventHub();
    const slow = open(hub);
    slow.stuck = true;
    const data = "x".repeat(10_000);
    for (let n = 0; n < 20; n++) hub.tell({ event: "a", tenant: "acme", data });
    assert.ok(slow.writableLength <= 65_536);
    const told = slow.text.split("event: a").length - 1;
    slow.stuck = false;
    slow.writableLength = 0;
    slow.emit("drain");
    assert.match(slow.text, new RegExp(`event: missed\\ndata: {"events":${20 - told}}`));
    hub.close();
  });

  it("has room for so many of a key, and none once it is closed", () => {
    const hub = new EventHub();
    for (let n = 0; n < streamsAKey; n++) open(hub);
    assert.equal(hub.hasRoom("k"), false);
    assert.equal(hub.hasRoom("other"), true);
    hub.close();
    assert.equal(hub.hasRoom("other"), false);
  });

  it("ends what belongs to a key that is good no more", () => {
    const hub = new EventHub();
    let good = true;
    const answer = open(hub, { isValid: () => good });
    good = false;
    hub.tell({ event: "a", tenant: "acme", data: 1 });
    assert.ok(answer.ended && !answer.text.includes("event: a"));
    assert.equal(hub.size, 0);
    hub.close();
  });
});
