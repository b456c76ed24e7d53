import process from "node:process";
import { connectKube } from "@rollcast/kube/client";
import { openProcess, startIn } from "@rollcast/shared/host";
import { createLogger } from "@rollcast/shared/logger";
import { run } from "@rollcast/shared/run";
import { startWatcherIn } from "./start.ts";

const { env } = process;
await run(createLogger("watcher"), async (stack, signal) => {
  const { host } = await openProcess("watcher", { env, stack, signal });
  const kube = stack.use(await connectKube({ logger: host.logger }));
  await startIn({ ...host, kube }, startWatcherIn);
});
