/** Bytes that were read and not yet used: grows to what one row may need, never to what an upload holds. */
export class Bytes {
  buffer: Buffer = Buffer.allocUnsafe(16_384);
  /** First byte not yet used. */
  start = 0;
  end = 0;

  push(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.buffer.length) {
      const held = this.end - this.start;
      const target =
        held + chunk.length > this.buffer.length
          ? Buffer.allocUnsafe(Math.max(this.buffer.length * 2, held + chunk.length))
          : this.buffer;
      this.buffer.copy(target, 0, this.start, this.end);
      this.buffer = target;
      this.start = 0;
      this.end = held;
    }
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** Text of `from` (inclusive) to `to`: UTF-8, or Windows-1252 where the bytes are no UTF-8, as spreadsheets write. */
  text(from: number, to: number): string {
    const text = this.buffer.toString("utf8", from, to);
    if (!text.includes("\ufffd")) return text;
    const bytes = this.buffer.subarray(from, to);
    return bytes.includes("\ufffd") ? text : windows1252.decode(bytes);
  }
}

const windows1252 = new TextDecoder("windows-1252");

/** A byte order mark at the head: how many bytes it takes; `utf16` for one that says so. */
export function byteOrderMark(bytes: Bytes): number | "utf16" {
  const [a, b, c] = bytes.buffer.subarray(bytes.start, Math.min(bytes.start + 3, bytes.end));
  if (a === 0xef && b === 0xbb && c === 0xbf) return 3;
  return (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff) ? "utf16" : 0;
}
