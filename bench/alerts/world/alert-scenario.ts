import type { Nats } from "@rollcast/nats/connect";
import type { Harness, StartOptions } from "@rollcast/testkit/harness/harness-types";
import { paths } from "@rollcast/testkit/objects";
import type { Pods } from "./pods.ts";

/** An installation that is recorded, and what a scenario does to it. */
export type AlertWorld = {
  readonly harness: Harness<Nats>;
  readonly pods: Pods;
  /** Waits until so many minutes after the begin of the recording. */
  at(minutes: number): Promise<void>;
  /** Writes into the time line what is done now; `id` is what tests call it. */
  act(id: string, what: string): void;
  /** Whether Prometheus scrapes. */
  setScraping(isScraping: boolean): void;
};

/** How one installation is treated. */
export type AlertScenario = {
  readonly name: string;
  /** A sentence for the fixture. */
  readonly about: string;
  readonly minutes: number;
  /** How many pods of each service. */
  readonly pods: Readonly<Record<"watcher" | "restarter" | "notifier", number>>;
  /** Its rollcast.yaml, beside what every harness has. */
  config(harness: Pick<Harness, "receiver">): object;
  /** With what its restarters are started; default: everything is allowed to them. */
  restarter?(harness: Harness): Promise<StartOptions>;
  /** Before the recording begins. */
  prepare(world: Pick<AlertWorld, "harness">): Promise<void>;
  play(world: AlertWorld): Promise<void>;
};

/** Gives the key `a` of a ConfigMap another value. */
export async function setSource(
  { harness: { api, namespace } }: Pick<AlertWorld, "harness">,
  name: string,
  value: string,
): Promise<void> {
  await api.patch(paths.configMap(namespace, name), { data: { a: value } }, "kubectl-edit");
}
