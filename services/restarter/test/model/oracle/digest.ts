import type { SourceRecord } from "@rollcast/shared/records";
import { contentDigest } from "../../../src/model/content.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { KEY_ID, digestsOf } from "../world/watcher.ts";

/** The digest of the whole content of a source, as records of workloads have it. */
export function digestOf(source: KubeObject): string {
  const record = { keyId: KEY_ID, digests: digestsOf(source) } as unknown as SourceRecord;
  return contentDigest(record, "*");
}
