import { loadConfig } from "@rollcast/runtime/config/load";
import type { Env } from "@rollcast/runtime/config/load";
import type { Config } from "@rollcast/shared/config/schema";
import { httpPort } from "@rollcast/runtime/health/http-port";
import { startHealthServer } from "@rollcast/runtime/health/health-server";
import type { Check } from "@rollcast/runtime/health/health-server";
import { createServiceHealth } from "@rollcast/runtime/health/service-health";
import type { ServiceHealth } from "@rollcast/runtime/health/service-health";
import { createLogger } from "@rollcast/runtime/logger";
import type { Logger } from "@rollcast/runtime/logger";
import { createMetrics } from "@rollcast/runtime/metrics";
import type { Metrics } from "@rollcast/runtime/metrics";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { servingFault } from "@rollcast/nats/serving";
import { openTracing } from "@rollcast/runtime/tracing/open";

/** What a service gets from the process it runs in, be it alone there or not. */
export type Host = {
  readonly config: Config;
  readonly env: Env;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nats: Nats;
  /**
   * Everything the service opens is pushed here, in the order in which it must be closed again,
   * last first.
   */
  readonly stack: AsyncDisposableStack;
  /** Fires when the service must stop. */
  readonly signal: AbortSignal;
  /** What `/readyz` and `/livez` answer from; the service adds its parts. */
  readonly health: ServiceHealth;
};

/** A process of Rollcast. */
export type HostProcess = Pick<Host, "config" | "env" | "logger" | "nats" | "stack" | "signal"> & {
  /** The place of the service that the process is for, or of all of them together. */
  readonly host: Host;
  /**
   * A place for one of several services; its metrics carry the label `component`, its checks and
   * log lines its name. It closes what it opens by itself.
   */
  component(name: string, stack: AsyncDisposableStack, signal: AbortSignal): Host;
};

/** The checks of all components, each under its component's name where it has one. */
function allChecks(parts: ReadonlyMap<string, ServiceHealth>, which: "ready" | "live") {
  const named = [...parts].flatMap(([component, health]) =>
    Object.entries(health[which]()).map(
      ([name, check]) => [component === "" ? name : `${component} ${name}`, check] as const,
    ),
  );
  return Object.fromEntries(named);
}

/**
 * Opens what every process of Rollcast has: configuration, logger, metrics, the server of `/livez`,
 * `/readyz` and `/metrics`, and NATS, for which it waits. `name` is the client's name in NATS and
 * `service` of the log. Throws {@link ConfigError}.
 */
export async function openProcess(
  name: string,
  { env, stack, signal }: Pick<Host, "env" | "stack" | "signal">,
): Promise<HostProcess> {
  const config = loadConfig(env);
  const logger = createLogger(name, config.log.level);
  const metrics = createMetrics();
  let natsFault: Check = () => "not connected";
  const openHealth = () => createServiceHealth(config.health.stallTimeout, () => natsFault());
  const health = openHealth();
  const parts = new Map([["", health]]);
  health.add({ nats: { ready: () => natsFault() } });
  const checks = {
    port: httpPort(env),
    metrics,
    logger,
    get ready() {
      return allChecks(parts, "ready");
    },
    get live() {
      return allChecks(parts, "live");
    },
    notes: () => [...parts.values()].flatMap((part) => part.notes()),
  };
  stack.use(await startHealthServer(checks));
  stack.use(await openTracing({ env, cluster: config.cluster, logger }));
  const nats = stack.use(await connectNats({ ...config.nats, name, logger }, signal));
  natsFault = () => servingFault(nats);
  const common = { config, env, logger, nats, stack, signal };
  return {
    ...common,
    host: { ...common, metrics, health },
    component(component, theirs, until) {
      const theirHealth = openHealth();
      parts.set(component, theirHealth);
      return {
        ...common,
        health: theirHealth,
        logger: createLogger(component, config.log.level),
        metrics: metrics.component(component),
        stack: theirs,
        signal: until,
      };
    },
  };
}

/** Starts what is in `host`; until then, `/readyz` says that it has not started. */
export async function startIn<H extends Host>(
  host: H,
  start: (host: H) => Promise<void>,
): Promise<void> {
  await start(host);
  host.health.started();
}
