import process from "node:process";
import { connectKube } from "@rollcast/kube/client";
import { openProcess, startIn } from "@rollcast/host/host";
import { createLogger } from "@rollcast/runtime/logger";
import { run } from "@rollcast/runtime/run";
import { startRestarter } from "./restarter.ts";

const { env } = process;
await run(createLogger("restarter"), async (stack, signal) => {
  const { host } = await openProcess("restarter", { env, stack, signal });
  const kube = stack.use(await connectKube({ logger: host.logger, connections: 40 }));
  await startIn({ ...host, kube }, startRestarter);
});
