import assert from "node:assert/strict";
import { unzipEntry } from "../../bin/stack/unzip.ts";

/** Made by Python's zipfile: `a/stored.txt` stored, `x.data/scripts/tool` deflated. */
const archive = Buffer.from(
  "UEsDBBQAAAAAAAAAIQCzJE6WCAAAAAgAAAAMAAAAYS9zdG9yZWQudHh0YXMgaXQgaXNQSwMEFAAAAAgAAAAhAOcodqcVAAAAeAUAABMAAAB4LmRhdGEvc2NyaXB0cy90b29sK0hMzk5NUSgYpUapUWqUGqXoQwEAUEsBAhQDFAAAAAAAAAAhALMkTpYIAAAACAAAAAwAAAAAAAAAAAAAAIABAAAAAGEvc3RvcmVkLnR4dFBLAQIUAxQAAAAIAAAAIQDnKHanFQAAAHgFAAATAAAAAAAAAAAAAACAATIAAAB4LmRhdGEvc2NyaXB0cy90b29sUEsFBgAAAAACAAIAewAAAHgAAAAAAA==",
  "base64",
);

describe("a wheel without unzip", () => {
  it("gives up its files, stored and deflated", () => {
    assert.equal(unzipEntry(archive, (name) => name === "a/stored.txt")?.toString(), "as it is");
    assert.equal(unzipEntry(archive, (name) => name.endsWith("/tool"))?.toString(), "packed ".repeat(200));
  });

  it("says so when it holds no such file, or is no archive, or is cut short", () => {
    assert.equal(
      unzipEntry(archive, () => false),
      undefined,
    );
    assert.throws(() => unzipEntry(Buffer.from("<html>not found</html>"), () => true), /not a zip archive/);
    assert.throws(() => unzipEntry(archive.subarray(0, archive.length - 30), () => true), /not a zip archive/);
  });
});
