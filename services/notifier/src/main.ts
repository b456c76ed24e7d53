import process from "node:process";
import { openProcess, startIn } from "@rollcast/host/host";
import { createLogger } from "@rollcast/runtime/logger";
import { run } from "@rollcast/runtime/run";
import { startNotifier } from "./notifier.ts";

const { env } = process;
await run(createLogger("notifier"), async (stack, signal) => {
  const { host } = await openProcess("notifier", { env, stack, signal });
  await startIn(host, startNotifier);
});
