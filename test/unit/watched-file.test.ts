import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WatchedFile } from "../../mixins/watched-file.ts";
import { eventually } from "../support/eventually.ts";

/** A folder with a file of numbers that is followed. `pollMs` is out of the way unless a test is about it. */
async function followed({ pollMs = 3_600_000, isPolledOnly = false } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "watched-"));
  const path = join(folder, "number.txt");
  await writeFile(path, "1");
  const changes: number[] = [];
  const refused: string[] = [];
  const file = await WatchedFile.open({
    path,
    pollMs,
    isPolledOnly,
    load(text) {
      if (!/^\d+$/.test(text)) throw new Error(`no number: ${text}`);
      return Number(text);
    },
    onChange: (value) => changes.push(value),
    onRefused: (error) => refused.push(error.message),
  });
  return {
    path,
    file,
    changes,
    refused,
    async [Symbol.asyncDispose]() {
      file.close();
      await rm(folder, { recursive: true });
    },
  };
}

describe("a watched file", () => {
  it("is followed when it is written in place", async () => {
    await using place = await followed();
    assert.equal(place.file.value, 1);
    await writeFile(place.path, "2");
    await eventually("the new value", () => place.file.value === 2);
    assert.deepEqual(place.changes, [2]);
  });

  it("is followed when another is renamed onto it, again and again", async () => {
    await using place = await followed();
    for (const next of [2, 3, 4]) {
      await writeFile(`${place.path}.new`, String(next));
      await rename(`${place.path}.new`, place.path);
      await eventually(`value ${next}`, () => place.file.value === next);
    }
    assert.deepEqual(place.changes, [2, 3, 4]);
  });

  it("keeps its value when the new text is refused, tells so once, and takes the next good one", async () => {
    await using place = await followed();
    await writeFile(place.path, "two");
    await eventually("a refusal", () => place.refused.length > 0);
    await place.file.look();
    await place.file.look();
    assert.equal(place.file.value, 1);
    assert.deepEqual(
      place.refused.filter((message) => message === "no number: two"),
      ["no number: two"],
    );
    await writeFile(place.path, "3");
    await eventually("the good value", () => place.file.value === 3);
    assert.deepEqual(place.changes, [3]);
  });

  it("keeps its value while the file is gone", async () => {
    await using place = await followed();
    await rm(place.path);
    await eventually("a refusal", () => place.refused.some((message) => message.includes("ENOENT")));
    assert.equal(place.file.value, 1);
    await writeFile(place.path, "5");
    await eventually("the new value", () => place.file.value === 5);
  });

  it("is found changed by looking at it where no notice comes", async () => {
    await using place = await followed({ pollMs: 20, isPolledOnly: true });
    await writeFile(place.path, "7");
    await eventually("the new value", () => place.file.value === 7);
  });

  it("does not open when its text is refused", async () => {
    await using place = await followed();
    await assert.rejects(
      WatchedFile.open({
        path: place.path,
        load: () => {
          throw new Error("never good");
        },
      }),
      /never good/,
    );
  });
});
