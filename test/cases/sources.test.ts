import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { AUTO } from "@rollcast/testkit/deployment";
import { configMap, paths, secret, waitRolledOut } from "@rollcast/testkit/objects";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { uniqueValue } from "../stack.ts";
import { ENDS, fateOf } from "./place.ts";
import type { Place } from "./place.ts";
import { openWorld, useWorld } from "./world.ts";

const MANY = Array.from({ length: 201 }, (_, i) => `app-${String(i).padStart(3, "0")}`);

const world = useWorld({
  places: [
    "many",
    "proto",
    "again",
    "token",
    "pause",
    "interval",
    "effect",
    "large",
    "immutable",
    "unseen",
    "orphaned",
  ],
  before: async (api, { many }) => {
    for (const name of MANY) {
      await api.create(paths.configMap(many), configMap(many, name, { A: "0" }));
    }
    return undefined;
  },
});

/** The sources that the rollouts of `web` followed, in order. */
function causes(place: Place): string[] {
  return place.data("web", "started").map(({ cause }) => cause?.name ?? "");
}

/** As in Reloader each source that the pattern matches counts, however many there are. */
outcomeTest(
  "the 201st source that a pattern matches rolls the workload as the first does (case 15)",
  {
    right: { causes: ["app-200", "app-010"] },
  },
  async (begin) => {
    const place = world("many");
    const annotations = { "configmap.reloader.stakater.com/reload": "app-.*" };
    await place.deploy("web", { uses: [], annotations });
    begin();
    await place.change("app-200");
    await place.planned("app-200");
    await place.endOfPlanned("web");
    await place.change("app-010");
    await waitFor(() => causes(place).includes("app-010"), { message: "the rollout of app-010" });
    return { causes: causes(place) };
  },
);

outcomeTest(
  "a key with the name of a JavaScript property, __proto__, is a key like others (defect 16, case A)",
  {
    right: { events: ["planned", "started", "succeeded Complete"] },
  },
  async (begin) => {
    const place = world("proto");
    await place.source("cfg", JSON.parse('{"__proto__":"0","A":"0"}') as Record<string, string>);
    await place.deploy("web");
    begin();
    await place.change("cfg", "__proto__");
    await place.planned("cfg");
    await place.endOfPlanned("web");
    const events = place.events("web");
    // The workload is rolled for other keys, so it was its key that kept it.
    await place.change("cfg", "A");
    await place.firstOf("web", ["succeeded"], { skip: events.length });
    return { events };
  },
);

/**
 * What the watcher reads back must be what it has written: else it takes its records for missed
 * changes and lists everything anew, each minute and in each replica, for as long as the key is
 * there.
 */
outcomeTest(
  "a ConfigMap with a key __proto__ does not have its whole kind listed again and again (defect 16, listed)",
  {
    right: { relisted: [] },
  },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["listed"], services: [] }));
    const place = own.place("listed");
    const before = await own.stack.start("all-in-one");
    await place.source("cfg", JSON.parse('{"__proto__":"0"}') as Record<string, string>);
    await place.planned("cfg");
    await before.kill();
    // It compares what is there with the records, which it reads for the first time.
    const { logs } = await own.stack.start("all-in-one");
    begin();
    const relisted = () =>
      logs.flatMap(({ msg, message }) => (msg === "relisting" ? [String(message)] : []));
    // A record that differs for 10 s is taken for a missed change.
    await waitFor(() => relisted().length > 0, { timeout: 18_000 }).catch(() => undefined);
    return { relisted: relisted() };
  },
);

/**
 * Pods cannot have run without a Secret that is not optional: they start with the one that comes
 * after them.
 */
outcomeTest(
  "a Deployment that is made again before its Secret is not rolled when that comes, as in its first life (case 18)",
  {
    right: { firstLife: [], secondLife: [], generation: 1 },
  },
  async (begin) => {
    const place = world("again");
    const { api, namespace } = place;
    const uses = [{ as: "envFrom", secret: "db" }] as const;
    const hasSecret = async () => {
      const record = await place.record("web");
      const digests = Object.values(record?.running ?? {}).map(({ digest }) => digest);
      return record?.phase === "current" && digests.length > 0 && !digests.includes("absent");
    };
    await place.deploy("web", { uses });
    await api.create(paths.secret(namespace), secret(namespace, "db", { pw: "one" }));
    await waitFor(hasSecret, { message: "the Secret to be adopted" });
    const firstLife = place.events("web");
    await api.remove(paths.deployment(namespace, "web"));
    await api.remove(paths.secret(namespace, "db"));
    await waitFor(async () => (await place.record("web")) === undefined, {
      message: "the record to go with its workload",
    });
    await place.planned("db", 2);
    begin();
    await place.deploy("web", { uses });
    await api.create(paths.secret(namespace), secret(namespace, "db", { pw: "two" }));
    await place.planned("db", 3);
    await waitFor(hasSecret, { message: "the Secret to be adopted" });
    const isRolled = (await place.generation("web")) > 1;
    if (isRolled) await place.firstOf("web", ["succeeded"], { skip: firstLife.length });
    return {
      firstLife,
      secondLife: place.events("web").slice(firstLife.length),
      generation: await place.generation("web"),
    };
  },
);

/**
 * Rollcast never reads what ServiceAccounts sign in with, so it cannot see that it changes, as the
 * migration says.
 */
outcomeTest(
  "a token of a service account rolls nothing, also where an annotation names it (case B)",
  { right: { causes: ["plain"], events: ["planned", "started", "succeeded Complete"] } },
  async (begin) => {
    const place = world("token");
    const { api, namespace } = place;
    await place.source();
    await api.create(paths.secret(namespace), {
      ...secret(namespace, "token", { token: "one" }),
      type: "kubernetes.io/service-account-token",
      metadata: {
        name: "token",
        namespace,
        annotations: { "kubernetes.io/service-account.name": "default" },
      },
    });
    await api.create(paths.secret(namespace), secret(namespace, "plain", { token: "one" }));
    const annotations = { ...AUTO, "secret.reloader.stakater.com/reload": "token,plain" };
    await place.deploy("web", { annotations });
    begin();
    const data = { token: Buffer.from(uniqueValue()).toString("base64") };
    await api.patch(paths.secret(namespace, "token"), { data });
    // Nothing tells that a Secret is not watched; that of another Secret's change alone is told.
    await place.endOfPlanned("web");
    await api.patch(paths.secret(namespace, "plain"), { data });
    await waitFor(() => causes(place).includes("plain"), { message: "the rollout of plain" });
    const rollouts = causes(place).length;
    await place.firstOf("web", ["succeeded"], { skip: 3 * (rollouts - 1) });
    return { causes: causes(place), events: place.events("web") };
  },
);

/** A value that cannot be read takes a safety away that somebody asked for, so it must be seen. */
for (const [name, annotation, value] of [
  ["pause", "deployment.reloader.stakater.com/pause-period", "5 minutes"],
  ["interval", "rollcast.dev/min-interval", "1d"],
  ["effect", "rollcast.dev/effect", "Notify"],
] as const) {
  outcomeTest(
    `an annotation ${annotation} that cannot be read is logged as a fault (case 19, ${name})`,
    { right: { fault: "logged" } },
    async (begin) => {
      const place = world(name);
      await place.source();
      begin();
      await place.deploy("web", { annotations: { ...AUTO, [annotation]: value } });
      await place.change();
      await place.firstOf("web", [...ENDS, "deferred"]);
      const isFault = (line: { readonly level: string; readonly workload?: unknown }) =>
        line.level === "warn" && JSON.stringify(line.workload ?? "").includes(place.namespace);
      return { fault: place.world.stack.logs().some(isFault) ? "logged" : "none" };
    },
  );
}

/** How many deletions of a source were published. */
function deletionsOf({ namespace, world: { events } }: Place, name: string): number {
  return events.filter(
    ({ subject, type }) =>
      subject === `ConfigMap/${namespace}/${name}` && type.includes(".source.deleted."),
  ).length;
}

/** The watcher's watch of ConfigMaps. */
const WATCH = /\/configmaps\?.*watch=/;

/** Does it between two looks of the watcher: its watch shows neither step, and ends. */
async function unseen({ world: { faults, proxy }, namespace }: Place, work: () => Promise<void>) {
  const lists = () => proxy.requests.filter(({ path }) => path.endsWith("/configmaps")).length;
  faults(namespace, [{ path: WATCH, fault: { do: "stall" } }]);
  await work();
  const before = lists();
  faults(namespace, [{ path: WATCH, fault: { do: "expire" }, times: 1 }]);
  await waitFor(() => lists() > before, { message: "the ConfigMaps to be listed", every: 20 });
  faults(namespace, []);
}

/**
 * A ConfigMap above 256 KiB has no room in the annotation of `kubectl apply`, so it is deleted and
 * created, as one is that may not be edited.
 */
for (const { how, name, isImmutable = false, ...hidden } of [
  { how: "", name: "large" },
  { how: "immutable, ", name: "immutable", isImmutable: true },
  { how: "between two looks of the watcher, ", name: "unseen", deletions: 0 },
] as const) {
  outcomeTest(
    `${how}a large ConfigMap that is deleted and created rolls its users once for other data, and not for the same (case 25)`,
    {
      right: {
        same: [],
        other: ["planned", "started", "succeeded Complete"],
        generation: 2,
        ...hidden,
      },
    },
    async () => {
      const place = world(name);
      const { api, namespace } = place;
      const large = () => ({ blob: randomBytes(500_000).toString("base64") });
      const first = large();
      const make = async (data: Record<string, string>) => {
        const object = { ...configMap(namespace, "cfg", data), immutable: isImmutable };
        await api.create(paths.configMap(namespace), object);
      };
      const renew = async (data: Record<string, string>) => {
        const work = async () => {
          await api.remove(paths.configMap(namespace, "cfg"));
          await make(data);
        };
        await (name === "unseen" ? unseen(place, work) : work());
        // Deletion and creation may be one event or two: what comes after them tells.
        await place.change("after");
        await place.planned("after");
      };
      await make(first);
      await place.source("after");
      await place.deploy("web");
      await renew(first);
      await place.endOfPlanned("web");
      const same = place.events("web");
      await renew(large());
      await place.firstOf("web", ["succeeded"]);
      await place.endOfPlanned("web", same.length + 3);
      const other = place.events("web").slice(same.length);
      const deletions = "deletions" in hidden ? { deletions: deletionsOf(place, "cfg") } : {};
      return { same, other, generation: await place.generation("web"), ...deletions };
    },
  );
}

/** Who changes what is immutable in a workload deletes it without its pods, and makes it again. */
test.concurrent("what changed while a Deployment was gone reaches the pods that it had left and takes over again", async () => {
  const place = world("orphaned");
  const { api, namespace } = place;
  await place.source();
  await place.deploy("web");
  const before = await place.pods("web");
  const path = paths.deployment(namespace, "web");
  const { spec } = await api.get<AnyObject & { spec: object }>(path);
  await api.call({ method: "DELETE", path: `${path}?propagationPolicy=Orphan` });
  const isGone = async () => (await api.get(path).catch(() => undefined)) === undefined;
  await waitFor(isGone, { message: "the Deployment to be gone" });
  // Of another second than its deletion, and than its creation.
  await sleep(1_500);
  await place.change();
  await place.planned("cfg");
  await sleep(1_500);
  expect(fateOf(before, await place.pods("web"))).toBe("unchanged");
  const skip = place.events("web").length;
  const metadata = { namespace, name: "web", annotations: AUTO };
  const again = { apiVersion: "apps/v1", kind: "Deployment", metadata, spec };
  await api.create(paths.deployment(namespace), again);
  await place.firstOf("web", ["succeeded"], { skip, withinMs: 30_000 });
  await waitRolledOut(api, namespace, "web");
  expect(fateOf(before, await place.pods("web"))).toBe("restarted");
  expect(place.events("web").slice(skip).at(-1)).toBe("succeeded Complete");
});
