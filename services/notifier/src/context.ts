import type { Logger } from "@rollcast/shared/logger";
import type { Kv } from "@rollcast/shared/nats/kv";
import type { Announce } from "./announce.ts";
import type { Circuit } from "./circuit.ts";
import type { NotifierMetrics } from "./metrics.ts";
import type { Receiver } from "./receivers/receiver.ts";
import type { NotifyRecord } from "./record.ts";
import type { Router } from "./route.ts";
import type { Step } from "./steps.ts";

/** What the parts of the notifier share. */
export type Context = {
  readonly cluster: string;
  readonly records: Kv<NotifyRecord>;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly circuits: ReadonlyMap<string, Circuit>;
  readonly route: Router;
  readonly turns: Turns;
  readonly announce: Announce;
  readonly metrics: NotifierMetrics;
  readonly logger: Logger;
  readonly step: (step: Step) => void;
};

/** The turns in Redis. They name a record and nothing else; one that cannot be added now is added by the sweep. */
export type Turns = {
  readonly flush: (group: string, delayMs: number) => Promise<void>;
  readonly deliver: (receiver: string, notification: string, delayMs: number) => Promise<void>;
};
