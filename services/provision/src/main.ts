import process from "node:process";
import { loadConfig } from "@rollcast/shared/config/load";
import { createLogger } from "@rollcast/shared/logger";
import { connectNats } from "@rollcast/shared/nats/connect";
import { provision } from "@rollcast/shared/nats/provision";
import { runOnce } from "@rollcast/shared/run";

const boot = createLogger("provision");
await runOnce(boot, async (signal) => {
  const config = loadConfig(process.env);
  const logger = createLogger("provision", config.log.level);
  await using nats = await connectNats({ ...config.nats, name: "provision", logger }, signal);
  await provision(nats, config.nats.replicas);
  logger.info({ replicas: config.nats.replicas }, "streams and buckets are there");
});
