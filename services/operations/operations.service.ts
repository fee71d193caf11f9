import { meshReader } from "../../mixins/mesh-state.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";

/** What operators ask of the mesh as a whole. docs/operate.md */
export default defineService({
  name: "operations",
  actions: {
    /** How full every mailbox is ({@link MeshState}), read once a second at the most. */
    mesh: {
      cache: false,
      handler() {
        return meshReader(resourcesOf(this.broker)).read();
      },
    },
  },
});
