import process from "node:process";
import { loadConfig } from "@rollcast/shared/config/load";
import { createLogger } from "@rollcast/shared/logger";
import { run } from "@rollcast/shared/run";
import { startNotifier } from "./notifier.ts";

const boot = createLogger("notifier");
await run(boot, async (stack, signal) => {
  const config = loadConfig(process.env);
  const logger = createLogger("notifier", config.log.level);
  await startNotifier({ config, env: process.env, logger, stack, signal });
});
