import process from "node:process";
import { connectKube } from "@rollcast/kube/client";
import { openProcess, startIn } from "@rollcast/host/host";
import { createLogger } from "@rollcast/runtime/logger";
import { run } from "@rollcast/runtime/run";
import { startWatcher } from "./watcher.ts";

const { env } = process;
await run(createLogger("watcher"), async (stack, signal) => {
  const { host } = await openProcess("watcher", { env, stack, signal });
  const kube = stack.use(await connectKube({ logger: host.logger }));
  await startIn({ ...host, kube }, startWatcher);
});
