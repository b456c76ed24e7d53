import type { KeyedPool } from "@rollcast/async/keyed-pool";
import type { KubeClient } from "@rollcast/kube/client";
import type { ReflectorTimes } from "@rollcast/kube/reflector-options";
import type { Nats } from "@rollcast/nats/connect";
import type { Logger } from "@rollcast/runtime/logger";
import type { Config } from "@rollcast/shared/config/schema";
import type { WatcherMetrics } from "./metrics.ts";
import type { WatchScope } from "./model/scope.ts";
import type { AnnotationFilter, InstallationKey } from "./model/transform.ts";
import type { Outbox } from "./store/outbox.ts";
import type { Recorder } from "./store/recorder.ts";
import type { CoverageStore, SourceCache } from "./store/source-store.ts";

/** What the parts of a running watcher share. */
export type Context = {
  readonly config: Config;
  readonly logger: Logger;
  readonly nats: Nats;
  readonly client: KubeClient;
  readonly key: InstallationKey;
  /** Which annotations of a source are kept in its record. */
  readonly annotations: AnnotationFilter;
  readonly times: Partial<ReflectorTimes>;
  readonly metrics: WatcherMetrics;
  readonly scope: WatchScope;
  readonly coverage: CoverageStore;
  readonly cache: SourceCache;
  readonly pool: KeyedPool<string>;
  /** Keys of the sources whose last change could not be recorded or published. */
  readonly refused: ReadonlySet<string>;
  readonly outbox: Outbox;
  readonly recorder: Recorder;
  /** Fires when work in flight must be aborted. */
  readonly signal: AbortSignal;
};
