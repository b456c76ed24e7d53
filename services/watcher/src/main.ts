import process from "node:process";
import { connectKube } from "@rollcast/kube/client";
import { httpPort, loadConfig } from "@rollcast/shared/config/load";
import { startHealth } from "@rollcast/shared/http";
import { createLogger } from "@rollcast/shared/logger";
import { createMetrics } from "@rollcast/shared/metrics";
import { connectNats } from "@rollcast/shared/nats/connect";
import { provision } from "@rollcast/shared/nats/provision";
import { run } from "@rollcast/shared/run";
import { obtainKey } from "./installation-key.ts";
import { stepProbe } from "./steps.ts";
import { startWatcher } from "./watcher.ts";
import type { Watcher } from "./watcher.ts";

const { env } = process;
const bootLogger = createLogger("watcher");

await run(bootLogger, async (stack, signal) => {
  const config = loadConfig(env);
  const logger = createLogger("watcher", config.log.level);
  const metrics = createMetrics();
  const started: { watcher?: Watcher } = {};
  const nats = stack.use(
    await connectNats({ url: config.nats.url, name: "watcher", logger }, signal),
  );
  stack.use(
    await startHealth({
      port: httpPort(env),
      metrics,
      logger,
      ready: {
        nats: () => nats.fault(),
        watcher: () => (started.watcher === undefined ? "starting" : started.watcher.ready()),
      },
      live: { watcher: () => started.watcher?.live() },
    }),
  );
  await provision(nats, config.nats.replicas);
  const client = stack.use(await connectKube({ logger }));
  const { file } = config.installationKey ?? {};
  const key = await obtainKey({ file, client, env, logger, signal });
  logger.info({ server: client.server, keyId: key.id, scope: config.scope }, "watching sources");
  started.watcher = stack.use(
    await startWatcher({
      config,
      logger,
      metrics,
      nats,
      client,
      key,
      probe: stepProbe(env),
      signal,
    }),
  );
});
