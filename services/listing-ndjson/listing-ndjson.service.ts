import type { Context } from "moleculer";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import { openList } from "./lists.ts";
import { mayBeIn, readPage } from "./page.ts";

const pageRows = 500;
/** Well below what a NATS message may hold (1 MB). */
const pageBytes = 393_216;
const pageScanBytes = 8_388_608;

/** Listings from NDJSON files and URLs, a page at a time. A listing has the fields of a lead (docs/intake.md). */
export default defineService({
  name: "listing-ndjson",
  actions: {
    /** The page of a list that begins at `cursor` (null: at its beginning), less what is plainly elsewhere. */
    page: {
      params: {
        listing: { type: "string", min: 1, max: 2_000 },
        zip: { type: "string", max: 10 },
        cursor: { type: "string", pattern: /^\d{1,15}$/, nullable: true, default: null },
      },
      async handler(ctx: Context<{ listing: string; zip: string; cursor: string | null }>) {
        const { settings } = resourcesOf(this.broker);
        const { listing, zip, cursor } = ctx.params;
        const offset = Number(cursor ?? 0);
        const stream = await openList(listing, offset, {
          dir: settings.listingsDir,
          origins: settings.listingsOrigins,
        });
        try {
          return await readPage(stream, {
            offset,
            wanted: (row) => mayBeIn(row, zip),
            maxRows: pageRows,
            maxBytes: pageBytes,
            maxScanBytes: pageScanBytes,
            maxLineBytes: settings.rowLimitBytes,
          });
        } finally {
          stream.destroy();
        }
      },
    },
  },
});
