import process from "node:process";
import { openProcess, startIn } from "@rollcast/host/host";
import type { Host, HostProcess } from "@rollcast/host/host";
import { connectKube } from "@rollcast/kube/client";
import { startNotifier } from "@rollcast/notifier/start";
import { startRestarter } from "@rollcast/restarter/start";
import { createLogger } from "@rollcast/runtime/logger";
import { run } from "@rollcast/runtime/run";
import { startWatcher } from "@rollcast/watcher/start";

/**
 * Starts several services in one process concurrently, because the restarter waits for what the
 * watcher writes when it starts. They also stop concurrently, as pods do. If one cannot start, the
 * others are stopped and its error is thrown.
 */
async function startTogether(
  own: HostProcess,
  services: Readonly<Record<string, (host: Host) => Promise<void>>>,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([own.signal, failed.signal]);
  const stacks: AsyncDisposableStack[] = [];
  own.stack.defer(async () => {
    await Promise.all(stacks.map((stack) => stack.disposeAsync()));
  });
  const starts = Object.entries(services).map(async ([name, start]) => {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    try {
      await startIn(own.component(name, stack, signal), start);
    } catch (err) {
      if (!signal.aborted) own.logger.error({ err, component: name }, "service cannot start");
      failed.abort(err);
      throw err;
    }
  });
  await startIn(own.host, async () => {
    await Promise.allSettled(starts);
    if (failed.signal.aborted) throw failed.signal.reason;
  });
}

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
