import { recordKey } from "@rollcast/shared/subjects";
import type { ObservedPods } from "./observed-pods.ts";
import { CLASS_KIND } from "./csi-transform.ts";
import type { ProviderClass } from "./csi-transform.ts";

/** What the handlers of classes and of pod statuses share. */
export type CsiState = {
  /** The classes that exist, by record key. */
  readonly classes: Map<string, ProviderClass>;
  readonly pods: ObservedPods;
  /** Has the statuses listed again, for a class that came back while its pods stayed. */
  readonly revived: () => void;
};

export function classKey(cluster: string, namespace: string, name: string): string {
  return recordKey(cluster, { kind: CLASS_KIND, namespace, name });
}
