import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../wait.ts";
import { findEvents } from "./find-events.ts";
import type { Extended, Harness, HarnessOptions, LocalProcess } from "./harness-types.ts";
import { openCluster } from "./open-cluster.ts";
import { openProcesses } from "./open-processes.ts";
import { openServers } from "./open-servers.ts";

function present<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`this harness has no ${name}: ask for it`);
  return part;
}

/**
 * Starts the parts that `options` names, then what `extend` adds to them, and disposes of all of it
 * again in the reverse order, also where one of them cannot start.
 */
export async function startHarness<C extends AsyncDisposable, S extends object = object>(
  options: HarnessOptions<C>,
  extend?: (harness: Harness<C>, undo: AsyncDisposableStack) => S | Promise<S>,
): Promise<Extended<C, S>> {
  await using opening = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-harness-"));
  opening.defer(() => rm(dir, { recursive: true, force: true }));
  const cluster = await openCluster(options, dir, opening);
  const servers = await openServers(options, dir, opening);
  const { natsServers, users } = servers;
  const natsUrl = () => {
    present(natsServers[0], "nats");
    return natsServers.map(({ url }) => url).join(",");
  };
  const nkey = users === undefined ? {} : { nkey: { file: users.seedFile("test") } };
  const { client } = options;
  let undo = opening;
  const connect = async () =>
    undo.use(await present(client, "client").connect({ url: natsUrl(), ...nkey }));
  const connection = client === undefined ? undefined : await connect();
  if (connection !== undefined) await client?.provision?.(connection);
  const isShared = options.cluster === "shared";
  const processes = opening.use(
    openProcesses({ cluster, servers, natsUrl, isShared }, () => options.config?.(harness) ?? {}),
  );
  const stop = new AbortController();
  const events = async () =>
    present(client?.readEvents, "reader of events")(present(connection, "client"));
  const harness: Harness<C> = {
    dir,
    signal: stop.signal,
    get cluster() {
      return present(cluster, "cluster").handle;
    },
    get api() {
      return present(cluster, "cluster").handle.api;
    },
    get namespace() {
      return present(cluster?.namespace, "namespace");
    },
    get proxy() {
      return present(cluster?.proxy, "fault proxy");
    },
    get kubeconfig() {
      return present(cluster, "cluster").kubeconfig;
    },
    kubeconfigFor: (user) => present(cluster, "cluster").kubeconfigFor(user),
    get nats() {
      return present(natsServers[0], "nats");
    },
    natsServers,
    get natsUrl() {
      return natsUrl();
    },
    get redis() {
      return present(servers.redis, "redis");
    },
    get users() {
      return present(users, "users");
    },
    get receiver() {
      return present(servers.receiver, "receiver");
    },
    get connection() {
      return present(connection, "client");
    },
    connect,
    events,
    waitEvent: (outcome, name, count = 1) =>
      waitFor(async () => findEvents(await events(), outcome, name)[count - 1], {
        message: `${count} ${outcome} of ${name ?? "anything"}`,
        timeout: 60_000,
      }),
    services: processes.services,
    start: processes.start,
    logs: () => processes.services.flatMap(({ logs }) => logs),
    run: async (open) => undo.use(await runHere(open)),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await undo.disposeAsync();
    },
  };
  await Promise.all((options.services ?? []).map((name) => processes.start(name)));
  const more = await extend?.(harness, opening);
  undo = opening.move();
  // Not assigned: a handle of the same name may have a getter only.
  Object.defineProperties(harness, Object.getOwnPropertyDescriptors(more ?? {}));
  return harness as unknown as Extended<C, S>;
}

/**
 * Runs what is otherwise a process in this one: as there, disposal fires the signal and then closes
 * what was opened, the newest first.
 */
async function runHere<T extends object>(
  open: (place: LocalProcess) => Promise<T>,
): Promise<T & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const stack = opening.use(new AsyncDisposableStack());
  const stop = new AbortController();
  opening.defer(() => stop.abort());
  const opened = await open({ stack, signal: stop.signal });
  const kept = opening.move();
  return Object.assign(opened, { [Symbol.asyncDispose]: () => kept.disposeAsync() });
}
