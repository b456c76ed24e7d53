import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { InstallShape } from "@rollcast/testkit/harness/shipped-users";
import type { ServiceLogLine, ServiceName } from "@rollcast/testkit/services";
import { expect, test } from "vitest";
import { setKey, startStack, waitSettled } from "./stack.ts";

const SHAPES: readonly [string, InstallShape, readonly ServiceName[]][] = [
  ["three services", "services", ["watcher", "restarter", "notifier"]],
  ["all in one", "all-in-one", ["all-in-one"]],
];

const isWaiting = ({ msg }: ServiceLogLine) => msg.startsWith("not provisioned");

/** The refusals since the last look for what provision makes. */
function refusedSince(logs: readonly ServiceLogLine[]): ServiceLogLine[] {
  const last = logs.findLastIndex(isWaiting);
  const refused = logs
    .slice(last + 1)
    .filter((line) => /permission|NOPERM|NOAUTH/i.test(JSON.stringify(line)));
  // The connection tells of the refusal too, on a way of its own: before that line, or after.
  const own = refused.findIndex((line) =>
    JSON.stringify(line).includes(String(logs[last]?.subject)),
  );
  return own === -1 ? refused : refused.toSpliced(own, 1);
}

test.each(SHAPES)(
  "%s: each process as its own user of NATS and Redis rolls, follows and delivers, and is refused nothing",
  async (_name, shape, names) => {
    await using stack = await startStack({ secured: { shape }, services: [] });
    const { api, namespace } = stack;
    await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
    const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
    await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
    await waitRolledOut(api, namespace, "web");
    // They wait for what they may not make.
    const services = await Promise.all(names.map((name) => stack.start(name, { wait: false })));
    for (const service of services) {
      await service.waitLog(isWaiting);
    }
    const step = await stack.start("provision");
    expect(await step.exited).toBe(0);
    await Promise.all(services.map((service) => service.waitReady(60_000)));
    await waitSettled(stack, "web");

    await setKey(stack, "cfg", "a", "1");
    await stack.waitEvent("succeeded", "web");
    await stack.waitEvent("sent", "hook");
    const refused = services.flatMap(({ logs }) => refusedSince(logs));
    expect(refused).toEqual([]);
  },
);
