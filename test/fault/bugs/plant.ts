import { registerHooks } from "node:module";

/**
 * Plants a bug: whoever loads `file` (a path from the root) in this process gets it with `from` replaced by `to`. Made
 * for `node --import`, by the driver alone: nothing in the product knows of it, and no setting can reach it. A bug that
 * finds no place ends the process rather than be none.
 */
export function plant(file: string, from: string, to: string): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith(`/${file}`)) return loaded;
      const source = Buffer.from(loaded.source as Uint8Array).toString();
      if (source.split(from).length !== 2) throw new Error(`${file}: there is no one place for a bug at "${from}"`);
      return { ...loaded, source: source.replace(from, () => to) };
    },
  });
}
