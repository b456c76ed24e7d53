import type { StatusView } from "@rollcast/shared/api/workload-routes";
import type { WorkloadDetail } from "@rollcast/shared/api/workload-views";
import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { REFUSAL, refuseTemplates } from "./refuse-templates.ts";
import { apiToken, apiUrl } from "./restarter-api.ts";
import { rollcast } from "./rollcast.ts";
import { generationOf, setKey, startStack, waitSettled } from "./stack.ts";
import type { Stack } from "./stack.ts";

const cleanup = new AsyncDisposableStack();
let stack: Stack;
let env: Record<string, string>;

beforeAll(async () => {
  // Its own: every doctor of a control plane sees the Reloader that one of these tests installs.
  stack = cleanup.use(await startStack({ secured: {}, services: [], cluster: {} }));
  const access = await apiToken(stack);
  for (const name of ["provision", "watcher"] as const) await stack.start(name);
  const { api, namespace } = stack;
  for (const source of ["cfg", "other", "frozen"]) {
    await api.create(paths.configMap(namespace), configMap(namespace, source, { a: "1", b: "1" }));
  }
  const deployments: [string, string, Record<string, string>?][] = [
    ["web", "cfg"],
    ["plain", "cfg", {}],
    ["api", "other"],
    ["late", "frozen"],
    ["odd", "cfg", { "deployment.reloader.stakater.com/pause-period": "5 minutes" }],
  ];
  for (const [name, source, annotations] of deployments) {
    const uses = [{ as: "envFrom", configMap: source } as const];
    const shape = { uses, annotations };
    await api.create(paths.deployment(namespace), deployment(namespace, name, shape));
    await waitRolledOut(api, namespace, name);
  }
  const restarter = await stack.start("restarter", {
    config: { restarter: { api: access.config }, queues: [{ name: "default", maxRolling: 9 }] },
  });
  const { receiver } = stack;
  receiver.answer(() => ({ status: 400, body: "not like this" }));
  const security = localSecurity(receiver);
  const notifier = await stack.start("notifier", {
    config: {
      notifier: {
        api: access.config,
        route: { groupWait: "200ms", groupInterval: "200ms" },
        receivers: [
          {
            name: "audit",
            webhook: { url: `${receiver.url}/audit`, format: "cloudevents" },
            security,
          },
        ],
      },
    },
  });
  for (const name of ["web", "api", "late"]) await waitSettled(stack, name);
  env = {
    ROLLCAST_SERVER: await apiUrl(restarter),
    ROLLCAST_NOTIFIER_SERVER: await apiUrl(notifier),
    ROLLCAST_TOKEN: access.token,
    ROLLCAST_ACTOR: "ann@example.com",
    ROLLCAST_NATS_URL: stack.nats.url,
    ROLLCAST_NKEY_FILE: stack.users.seedFile("operator"),
    KUBECONFIG: stack.cluster.kubeconfig,
  };
});
afterAll(() => cleanup.disposeAsync());

/** Runs a command that must end with `code`; what it wrote, no line of it wider than a terminal. */
async function run(args: readonly string[], code = 0, more: Record<string, string> = {}) {
  const ran = await rollcast(args, { ...env, ...more });
  expect(ran, args.join(" ")).toMatchObject({ code });
  for (const line of ran.out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  return code === 0 || code === 4 ? ran.out : ran.err;
}

async function json<T>(args: readonly string[]): Promise<T> {
  const ran = await rollcast([...args, "-o", "json"], env);
  expect(ran.err).toBe("");
  return JSON.parse(ran.out) as T;
}

const inNamespace = (...args: string[]) => [...args, "-n", stack.namespace];

test("status, explain and impact tell people and programs the same", async () => {
  const status = await run(["status"]);
  expect(status).toContain("3 of 5 workloads may roll: 3 current");
  expect(await json<StatusView>(["status"])).toMatchObject({ mayRoll: 3, notCurrent: [] });
  const impact = await run(inNamespace("impact", "configmap/cfg", "--keys", "a,b"));
  expect(impact).toContain("1 of 3 workloads that use it would roll");
  expect(impact).toMatch(/deployment\/plain +keep +not-opted-in/);
  expect(impact).toMatch(/deployment\/web +roll +auto/);

  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  const explain = await run(inNamespace("explain", "deploy/web"));
  expect(explain).toMatch(/configmap\/cfg +all +([0-9a-f]{8}) +\1 +equal +rolls/);
  expect(explain).toMatch(/applies +auto +the workload is opted in/);
  expect(explain).toMatch(/ago +succeeded +\S+ +configmap\/cfg +Complete/);
  expect(await run(inNamespace("explain", "deploy/plain"))).toContain("no annotation opts it in");
  const odd = await run(inNamespace("explain", "deploy/odd"));
  expect(odd.replaceAll(/\s+/g, " ")).toContain('"5 minutes" is no duration like 30s, 5m or 1h30m');
  const detail = await json<WorkloadDetail>(inNamespace("explain", "deploy/web"));
  expect(detail.sources[0]).toMatchObject({ equal: true, check: "auto" });
  expect(await run(["status", "-o", "yaml"])).toMatch(/^cluster: test$/m);
});

test("roll rolls once for its request id, and says what it cannot do", async () => {
  const before = await generationOf(stack, "api");
  const id = ["--request-id", "request-of-cli"];
  expect(await run(inNamespace("roll", "deploy/api", ...id))).toContain("is asked to roll");
  await stack.waitEvent("succeeded", "api");
  expect(await run(inNamespace("roll", "deploy/api", ...id))).toContain("nothing more is done");
  await waitSettled(stack, "api");
  expect(await generationOf(stack, "api")).toBe(before + 1);
  expect(await run(inNamespace("roll", "deploy/plain"), 1)).toContain("no annotation opts");
  expect(await run(inNamespace("explain", "deploy/nothing"), 1)).toContain(
    "there is no Deployment",
  );
});

test("a refused rollout stands in status with its reason, and retry tries it at once", async () => {
  {
    await using _policy = await refuseTemplates(stack, "api");
    await setKey(stack, "other", "a", "2");
    await stack.waitEvent("failed", "api");
    const status = await run(["status"]);
    expect(status.replaceAll(/\s+/g, " ")).toContain("stale,failed");
    expect(status).toContain("deployment/api");
    expect(
      (await json<{ notCurrent: { failure: { message: string } }[] }>(["status"])).notCurrent[0],
    ).toMatchObject({ failure: { message: expect.stringContaining(REFUSAL) as string } });
  }
  const rolled = await stack.events();
  expect(await run(inNamespace("retry", "deploy/api"))).toContain("is tried again now");
  await stack.waitEvent("succeeded", "api", rolled.filter(isSuccessOf("api")).length + 1);
  await waitSettled(stack, "api");
  expect(await run(inNamespace("retry", "deploy/api"), 1)).toContain("nothing of it waits");
});

function isSuccessOf(name: string) {
  return (event: { type: string; subject?: string }) =>
    event.type.endsWith("rollout.succeeded.v1") && event.subject?.endsWith(`/${name}`) === true;
}

test("what is frozen waits, and is done when it is unfrozen", async () => {
  const { namespace } = stack;
  expect(await run(["freeze", "--list"])).toContain("nothing is frozen");
  const comment = ["--for", "1h", "--comment", "release"];
  expect(await run(inNamespace("freeze", "deploy/late", ...comment))).toContain("is frozen until");
  expect(await run(["freeze", "--list"])).toMatch(/deployment\/late.*release/);
  await setKey(stack, "frozen", "a", "2");
  await stack.waitEvent("deferred", "late");
  const waiting = await run(inNamespace("explain", "deploy/late"));
  expect(waiting).toMatch(/Next +a rollout waits: Frozen, in 5\dm/);
  expect(await run(["status"])).toContain(`frozen: ${namespace}/deployment/late`);
  expect(await run(inNamespace("unfreeze", "deploy/late"))).toContain("unfrozen");
  await stack.waitEvent("succeeded", "late");
  expect(await run(inNamespace("unfreeze", "deploy/late"), 1)).toContain("no such freeze");
  expect(await run(["freeze"], 2)).toContain("--cluster");
  for (const scope of [["--cluster"], ["-n", namespace]]) {
    await run(["freeze", ...scope]);
    await run(["unfreeze", ...scope]);
  }
});

test("queues are set over the file, paused, resumed and reset; halted changes resume", async () => {
  const limits = ["--concurrency", "7", "--rate", "5/s", "--max-rolling", "none", "--for", "2h"];
  const set = await run(["queues", "set", "default", ...limits]);
  const table = set.replaceAll(/\s+/g, " ");
  expect(table).toContain("concurrency 7 instead of 20, set by ann@example.com, ends in ");
  expect(table).toContain("maxRolling none instead of 9");
  expect(table).toContain("rateLimit 5/1s instead of none");
  expect(await run(["queues", "pause", "default"])).toContain("paused");
  expect(await run(["queues", "resume", "default"])).toContain("running");
  expect(await run(["queues", "reset", "default"])).not.toContain("instead of");
  expect(await json<{ name: string; live: unknown[] }[]>(["queues", "list"])).toMatchObject([
    { name: "default", paused: false, live: [], file: { maxRolling: 9 } },
  ]);
  expect(await run(["queues", "pause", "other"], 1)).toContain("default");
  expect(await run(["queues", "set", "default"], 2)).toContain("no limit is named");
  expect(await run(["queues", "set", "default", "--rate", "fast"], 2)).toContain("5/s");
  expect(await run(["resume", "--queue", "default"])).toContain("0 halted");
  expect(await run(inNamespace("resume", "configmap/cfg"))).toContain("0 halted");
});

test("events tail tells what the stream holds, by subject and time", async () => {
  const args = ["events", "tail", "--since", "1h", "--no-follow"];
  const all = await run(args);
  expect(all).toMatch(/source\.changed +app-\S+\/configmap\/cfg DataChanged/);
  const some = await rollcast([...args, "--filter", "rollout.succeeded.>", "-o", "json"], env);
  const types = some.out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { type: string }).type);
  expect(new Set(types)).toEqual(new Set(["dev.rollcast.rollout.succeeded.v1"]));
  expect(await run([...args, "--filter", "rollout.failed.*.none.>"])).toBe("");
  expect(await run([...args, "--since", "soon"], 2)).toContain("1h");
  expect(await run([...args, "--filter", "rollout..failed"], 2)).toContain("rollout.failed.>");
  const nobody = await run([...args], 3, { ROLLCAST_NKEY_FILE: "" });
  expect(nobody).toContain("seed of the user operator");
});

test("dead letters are listed, shown, sent again and dropped", async () => {
  type Letters = { id: string }[];
  const letters = () => json<Letters>(["dead-letters", "list"]);
  const [first, second] = await waitFor(
    async () => {
      const listed = await letters();
      return listed.length >= 2 ? listed : undefined;
    },
    { message: "two dead letters", timeout: 30_000 },
  );
  expect(await run(["dead-letters", "list", "--receiver", "audit"])).toMatch(/ID +WHEN +RECEIVER/);
  const shown = await run(["dead-letters", "show", first?.id ?? ""]);
  expect(shown).toMatch(/Receiver audit/);
  expect(shown).toContain("dev.rollcast.rollout.");
  stack.receiver.answer(() => ({ status: 204, body: "" }));
  const sent = await run(["dead-letters", "redrive", first?.id ?? ""]);
  expect(sent).toContain("is sent to audit again");
  await stack.receiver.waitFor((request) => request.path === "/audit");
  expect(await run(["dead-letters", "drop", second?.id ?? ""])).toContain("is dropped");
  const left = (await letters()).map(({ id }) => id);
  expect(left).not.toContain(first?.id);
  expect(left).not.toContain(second?.id);
  expect(await run(["dead-letters", "show", second?.id ?? ""], 1)).toContain("no dead letter");
  expect(await run(["dead-letters", "drop", "x"], 1)).toContain("must be the id");
});

test("doctor finds that all is well, and what is not", async () => {
  const { api, namespace } = stack;
  const well = await run(["doctor"]);
  for (const line of well.trim().split("\n").slice(1)) expect(line).toMatch(/^(ok| ) /);
  for (const line of [
    /ok +cluster +reached/,
    /ok +nats +reached/,
    /ok +redis +reached by restarter/,
    /ok +restarter/,
    /ok +watches/,
  ]) {
    expect(well).toMatch(line);
  }
  const reloader = {
    ...deployment(namespace, "reloader", { annotations: {} }),
    spec: {
      selector: { matchLabels: { app: "reloader" } },
      template: {
        metadata: { labels: { app: "reloader" } },
        spec: {
          containers: [
            {
              name: "reloader",
              image: "ghcr.io/stakater/reloader:v1.4.21",
              args: ["--reload-strategy=annotations", "--frobnicate"],
            },
          ],
        },
      },
    },
  };
  await api.create(paths.deployment(namespace), reloader);
  const two = await run(["doctor"], 4);
  expect(two.replaceAll(/\s+/g, " ")).toContain("scale it to 0");
  expect(await run(["doctor", "--nats", "nats://127.0.0.1:1"], 4)).toContain("NATS cannot");
  await stack.redis.kill();
  await expect
    .poll(() => run(["doctor"], 4), { timeout: 30_000 })
    .toMatch(/do +redis +restarter says: not connected/);
  await stack.redis.restart();
  const from = await run(["config", "from-reloader", "-n", namespace, "--cluster-name", "prod"]);
  expect(from).toContain("strategy: reloader-annotations");
  expect(from).toContain("# --frobnicate: has no counterpart");
  await api.remove(paths.deployment(namespace, "reloader"));
});

test("who may not, or asks nobody, is told what to do", async () => {
  expect(await run(["status"], 3, { ROLLCAST_TOKEN: "another-token-of-the-test" })).toContain(
    "--token-file",
  );
  expect(await run(["status"], 2, { ROLLCAST_TOKEN: "" })).toContain("ROLLCAST_TOKEN");
  expect(
    await run(["status", "--kubeconfig", "nowhere.yaml"], 2, { ROLLCAST_SERVER: "" }),
  ).toContain("nowhere.yaml cannot be read");
  expect(await run(["status"], 3, { ROLLCAST_SERVER: "http://127.0.0.1:9" })).toContain("reached");
  expect(await run(["dead-letters", "list", "--server", env.ROLLCAST_SERVER ?? ""], 1)).toContain(
    "no such path",
  );
  expect(await run(["explain", "pod/web"], 2)).toContain("known kinds: Deployment");
  expect(await run(["frobnicate"], 2)).toContain("--help");
  await waitFor(async () => (await rollcast(["--help"])).code === 0, { message: "help" });
});
