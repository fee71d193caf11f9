import { inflateRawSync } from "node:zlib";

/**
 * One file out of a zip archive (a Python wheel is one), so that neither `unzip` nor Python need be there.
 * Reads the central directory (APPNOTE 6.3.9, 4.3.12 and 4.3.16); stored and deflated entries, no zip64.
 */
export function unzipEntry(archive: Buffer, matches: (name: string) => boolean): Buffer | undefined {
  const endSignature = Buffer.from([0x50, 0x4b, 5, 6]);
  const end = archive.lastIndexOf(endSignature);
  if (end < 0) throw new Error("not a zip archive");
  const entries = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let n = 0; n < entries; n++) {
    if (archive.readUInt32LE(at) !== 0x02014b50) throw new Error("broken zip archive");
    const method = archive.readUInt16LE(at + 10);
    const packed = archive.readUInt32LE(at + 20);
    const nameLength = archive.readUInt16LE(at + 28);
    const tailLength = archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
    const local = archive.readUInt32LE(at + 42);
    const name = archive.toString("utf8", at + 46, at + 46 + nameLength);
    if (matches(name)) {
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const data = archive.subarray(start, start + packed);
      if (method === 0) return Buffer.from(data);
      if (method === 8) return inflateRawSync(data);
      throw new Error(`${name} is packed by method ${method}, which is not read`);
    }
    at += 46 + nameLength + tailLength;
  }
  return undefined;
}
