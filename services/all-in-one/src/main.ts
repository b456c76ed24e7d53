import process from "node:process";
import { connectKube } from "@rollcast/kube/client";
import { startNotifier } from "@rollcast/notifier/start";
import { startRestarter } from "@rollcast/restarter/start";
import { openProcess } from "@rollcast/host/host";
import { createLogger } from "@rollcast/runtime/logger";
import { run } from "@rollcast/runtime/run";
import { startWatcher } from "@rollcast/watcher/start";
import { startTogether } from "./start-together.ts";

const { env } = process;
await run(createLogger("all-in-one"), async (stack, signal) => {
  const own = await openProcess("all-in-one", { env, stack, signal });
  const kube = stack.use(await connectKube({ logger: own.logger, connections: 40 }));
  await startTogether(own, {
    watcher: (host) => startWatcher({ ...host, kube }),
    restarter: (host) => startRestarter({ ...host, kube }),
    notifier: startNotifier,
  });
});
