import process from "node:process";
import { loadConfig } from "@rollcast/runtime/config/load";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import { provisionWhenServed } from "@rollcast/nats/provisioned";
import { runOnce } from "@rollcast/runtime/run";

const boot = createLogger("provision");
await runOnce(boot, async (signal) => {
  const config = loadConfig(process.env);
  const logger = createLogger("provision", config.log.level);
  await using nats = await connectNats({ ...config.nats, name: "provision", logger }, signal);
  await provisionWhenServed(nats, config.nats.replicas, signal);
  logger.info({ replicas: config.nats.replicas }, "streams and buckets are provisioned");
});
