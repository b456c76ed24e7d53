import { setTimeout as sleep } from "node:timers/promises";
import { readNext } from "@rollcast/nats/history";
import { openKv } from "@rollcast/nats/kv";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import type { RollcastEvent } from "@rollcast/shared/events";
import type { Nats } from "@rollcast/nats/connect";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { createNamespace } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import type { ServiceName } from "@rollcast/testkit/services";
import type { Api } from "@rollcast/testkit/test-api";
import { afterAll, beforeAll } from "vitest";
import { startStack } from "../stack.ts";
import type { Stack } from "../stack.ts";
import { SeenRecord, openPlace } from "./place.ts";
import type { Place, World } from "./place.ts";

type Namespaces<Name extends string> = Readonly<Record<Name, string>>;

export type WorldOptions<Name extends string> = {
  /** Names of the cases' namespaces; each gets a suffix that nobody else has. */
  readonly places: readonly Name[];
  /** Merged over the stack's configuration. */
  readonly config?: (namespaces: Namespaces<Name>) => object;
  /** What must be in the cluster before Rollcast starts. */
  readonly before?: (
    api: Api,
    namespaces: Namespaces<Name>,
  ) => Promise<AsyncDisposable | undefined>;
  readonly services?: readonly ServiceName[];
};

/** Appends each event of the stream to `events` until the signal fires, through outages too. */
async function follow(nats: Nats, events: RollcastEvent[], signal: AbortSignal): Promise<void> {
  let seq = 1;
  while (!signal.aborted) {
    const next = await readNext(nats, EVENT_STREAM, {
      seq,
      subject: "rollcast.v1.test.>",
    }).catch(() => null);
    if (next === null) {
      await sleep(30);
      continue;
    }
    // An event that is not of its form is seen too.
    events.push(next.json());
    seq = next.seq + 1;
  }
}

/** A world and the places in it. */
type OpenWorld<Name extends string> = AsyncDisposable & {
  readonly stack: Stack;
  place(name: Name): Place;
};

/** Opens a world of one's own. Windows are short, so that a case ends soon. */
export async function openWorld<const Name extends string>(
  options: WorldOptions<Name>,
): Promise<OpenWorld<Name>> {
  await using undo = new AsyncDisposableStack();
  const api = undo.use(useCluster().api);
  const made = await Promise.all(
    options.places.map(async (name) => [name, await createNamespace(api, name)] as const),
  );
  for (const [, namespace] of made) undo.use(namespace);
  const entries = made.map(([name, namespace]) => [name, namespace.name]);
  const namespaces = Object.fromEntries(entries) as Namespaces<Name>;
  const before = await options.before?.(api, namespaces);
  if (before !== undefined) undo.use(before);
  const stack = undo.use(
    await startStack({
      faultProxy: true,
      services: options.services ?? ["all-in-one"],
      config: {
        scope: { namespaces: Object.values(namespaces) },
        queues: [{ name: "default", window: "100ms" }],
        ...options.config?.(namespaces),
      },
    }),
  );
  // Nobody needs what they would still put in order.
  undo.defer(async () => {
    await Promise.all(stack.services.map((service) => service.kill("SIGKILL")));
  });
  const nats = undo.use(await stack.connect());
  const events: RollcastEvent[] = [];
  const stop = new AbortController();
  const following = follow(nats, events, stop.signal);
  undo.defer(async () => {
    stop.abort();
    await following;
  });
  const byNamespace = new Map<string, readonly Rule[]>();
  const world: World = {
    api,
    stack,
    proxy: stack.proxy,
    nats,
    events,
    records: await openKv(nats, "workloads", SeenRecord),
    faults(namespace, rules) {
      byNamespace.set(namespace, rules);
      stack.proxy.rules([...byNamespace.values()].flat());
    },
  };
  const kept = undo.move();
  return {
    stack,
    place: (name) => openPlace(world, namespaces[name]),
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

/** Opens a world for the tests of this file, and gives their places. */
export function useWorld<const Name extends string>(
  options: WorldOptions<Name>,
): (name: Name) => Place {
  let opened: OpenWorld<Name> | undefined;
  beforeAll(async () => {
    opened = await openWorld(options);
  });
  afterAll(() => opened?.[Symbol.asyncDispose]());
  return (name) => {
    if (opened === undefined) throw new Error("the world is not open");
    return opened.place(name);
  };
}
