import type { ObjectStore } from "../object-store.ts";
import { countedQuota } from "../quota.ts";
import type { Act } from "./act.ts";
import { statusActs } from "./parts.ts";

/** What the controller of ResourceQuotas may do next: it counts pods late. */
export function acts(store: ObjectStore): Act[] {
  return store
    .list("ResourceQuota")
    .flatMap((quota) => statusActs(store, quota, countedQuota(store, quota)));
}
