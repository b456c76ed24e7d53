import { recordKey } from "@rollcast/shared/subjects";
import type { ObservedPods } from "./observed-pods.ts";
import { CLASS_KIND } from "./csi-transform.ts";
import type { ProviderClass } from "./csi-transform.ts";

/** State shared by the handlers of classes and of pod statuses. */
export type CsiState = {
  /** Existing classes by record key. */
  readonly classes: Map<string, ProviderClass>;
  readonly pods: ObservedPods;
  /** Lists the pod statuses again, for a class that was recreated while its pods stayed. */
  readonly revived: () => void;
};

export function classKey(cluster: string, namespace: string, name: string): string {
  return recordKey(cluster, { kind: CLASS_KIND, namespace, name });
}
