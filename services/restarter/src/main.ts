import process from "node:process";
import { loadConfig } from "@rollcast/shared/config/load";
import { createLogger } from "@rollcast/shared/logger";
import { run } from "@rollcast/shared/run";
import { startRestarter } from "./restarter.ts";

const boot = createLogger("restarter");
await run(boot, async (stack, signal) => {
  const config = loadConfig(process.env);
  const logger = createLogger("restarter", config.log.level);
  await startRestarter({ config, env: process.env, logger, stack, signal });
});
