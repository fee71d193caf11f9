import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";

export interface WatchedFileOptions<T> {
  path: string;
  /** Makes the value from the file's text; throws for a text that is not good. */
  load(text: string): T;
  /** A changed file was taken up. Not called for the first load. */
  onChange?(value: T): void;
  /** A changed file could not be read or loaded: the value before it stays. Told once for the same fault. */
  onRefused?(error: Error): void;
  /** How often the file is looked at where the system's notices fail (network and container mounts). */
  pollMs?: number;
  /** Does without the system's notices. */
  isPolledOnly?: boolean;
}

/** After a notice: whoever writes in place has emptied the file first, and an empty one would be refused. */
const settleMs = 50;

/**
 * A file whose content is a value that follows it. The folder is watched, not the file: editors and configuration
 * managers replace a file by renaming another onto it, and a watch on the old one would never fire again.
 */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #text = "";
  #value: T | undefined;
  #refused = "";
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #again = false;

  private constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
  }

  /** Loads the file and begins to follow it. Throws when it cannot be read or loaded now. */
  static async open<T>(options: WatchedFileOptions<T>): Promise<WatchedFile<T>> {
    const file = new WatchedFile(options);
    file.#text = await readFile(options.path, "utf8");
    file.#value = options.load(file.#text);
    file.#follow();
    return file;
  }

  get value(): T {
    return this.#value!;
  }

  /** Looks at the file now; resolves when what it says is taken up or refused. */
  async look(): Promise<void> {
    if (this.#looking) {
      // What is being read may be older than this call.
      this.#again = true;
      return this.#looking;
    }
    this.#looking = (async () => {
      do {
        this.#again = false;
        await this.#read();
      } while (this.#again);
    })().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
  }

  async #read(): Promise<void> {
    const { path, load, onChange } = this.#options;
    try {
      const text = await readFile(path, "utf8");
      if (text === this.#text) {
        this.#refused = "";
        return;
      }
      const value = load(text);
      this.#text = text;
      this.#value = value;
      this.#refused = "";
      onChange?.(value);
    } catch (error) {
      this.#refuse(error as Error);
    }
  }

  #refuse(error: Error): void {
    if (error.message === this.#refused) return;
    this.#refused = error.message;
    this.#options.onRefused?.(error);
  }

  #follow(): void {
    const { path, pollMs = 2_000, isPolledOnly = false } = this.#options;
    const name = basename(path);
    this.#poll = setInterval(() => void this.look(), pollMs).unref();
    if (isPolledOnly) return;
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
        if (changed !== null && changed !== name) return;
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => void this.look(), settleMs).unref();
      });
      // Out of watches, or the folder itself is gone: the poll goes on alone.
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      this.#watcher = undefined;
    }
  }
}
