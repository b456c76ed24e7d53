import {
  configMap,
  createNamespace,
  paths,
  secret,
  waitRolledOut,
} from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { DeploymentShape } from "@rollcast/testkit/deployment";
import { expect, test } from "vitest";
import { generationOf, setKey, setSecretKey, startStack, waitSettled, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

const R = "reloader.stakater.com";
const NAMED = `configmap.${R}/reload`;
const SHA1 = "f83e99e324ba68ccc373a58ef1eb42f8ab88646a";

type Template = {
  metadata?: { annotations?: Record<string, string> };
  spec: { containers: { name: string; env?: { name: string; value?: string }[] }[] };
};

async function deploy(stack: Stack, name: string, shape: DeploymentShape) {
  await stack.api.create(
    paths.deployment(stack.namespace),
    deployment(stack.namespace, name, shape),
  );
}

async function start(config: object, before: (stack: Stack) => Promise<unknown>) {
  await using undo = new AsyncDisposableStack();
  const stack = undo.use(await startStack({ services: ["watcher"], config }));
  const source = (name: string, data = { a: "1" }) =>
    stack.api.create(paths.configMap(stack.namespace), configMap(stack.namespace, name, data));
  await source("cfg");
  await before(stack);
  await stack.start("restarter");
  undo.move();
  return Object.assign(stack, { source });
}

async function template(stack: Stack, name: string): Promise<Template> {
  const object = await stack.api.get<{ spec: { template: Template } } & { metadata: never }>(
    paths.deployment(stack.namespace, name),
  );
  return object.spec.template;
}

async function rolledOut(stack: Stack, names: readonly string[]) {
  await Promise.all(names.map((name) => waitRolledOut(stack.api, stack.namespace, name)));
}

test("annotations name sources that no pod uses, by name and by pattern; others are left alone", async () => {
  await using stack = await start(
    { reload: { annotations: { ignore: "example.com/ignore" } } },
    async (fresh) => {
      const annotated: Record<string, Record<string, string>> = {
        named: { [NAMED]: "x, cfg" },
        pattern: { [NAMED]: "cfg-[0-9]+" },
        excluded: { [NAMED]: ".*", [`configmaps.exclude.${R}/reload`]: "cfg,cfg-7" },
        auto: { [`${R}/auto`]: "true" },
      };
      for (const [name, annotations] of Object.entries(annotated)) {
        await deploy(fresh, name, { annotations });
      }
      await deploy(fresh, "search", {
        annotations: { [`${R}/search`]: "true" },
        uses: [{ as: "envFrom", configMap: "cfg" }],
      });
      await rolledOut(fresh, [...Object.keys(annotated), "search"]);
    },
  );
  await stack.source("cfg-7");
  await stack.waitEvent("created", "cfg-7");
  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("succeeded", "named");
  await setKey(stack, "cfg-7", "a", "2");
  await stack.waitEvent("succeeded", "pattern");
  await stack.api.patch(paths.configMap(stack.namespace, "cfg"), {
    metadata: { annotations: { [`${R}/match`]: "true" } },
  });
  await setKey(stack, "cfg", "a", "3");
  await stack.waitEvent("succeeded", "named", 2);
  await stack.waitEvent("succeeded", "search");
  await stack.api.patch(paths.configMap(stack.namespace, "cfg"), {
    metadata: { annotations: { "example.com/ignore": "true" } },
  });
  await setKey(stack, "cfg", "a", "4");
  await stack.waitEvent("changed", "cfg", 3);
  await setKey(stack, "cfg-7", "a", "3");
  await stack.waitEvent("succeeded", "pattern", 2);
  const generations = await Promise.all(
    ["named", "pattern", "search", "excluded", "auto"].map((name) => generationOf(stack, name)),
  );
  expect(generations).toEqual([3, 3, 2, 1, 1]);
});

test("a source of a shared namespace rolls who names it, in its own namespace", async () => {
  await using stack = await startStack({ services: [] });
  await using shared = await createNamespace(stack.api, "shared");
  const config = {
    scope: { namespaces: [stack.namespace, shared.name] },
    reload: { sharedNamespaces: [shared.name] },
  };
  await stack.api.create(paths.configMap(shared.name), configMap(shared.name, "ca", { a: "1" }));
  await stack.start("watcher", { config });
  await deploy(stack, "web", { annotations: { [NAMED]: `${shared.name}/ca` } });
  await deploy(stack, "other", { annotations: { [NAMED]: "ca" } });
  await rolledOut(stack, ["web", "other"]);
  await stack.start("restarter", { config });
  await waitSettled(stack, "web");
  await stack.api.patch(paths.configMap(shared.name, "ca"), { data: { a: "2" } });
  await stack.waitEvent("succeeded", "web");
  const { metadata } = await template(stack, "web");
  expect(Object.keys(JSON.parse(metadata?.annotations?.["rollcast.dev/config"] ?? "{}"))).toEqual([
    `ConfigMap/${shared.name}/ca`,
  ]);
  expect(await generationOf(stack, "other")).toBe(1);
});

test("reload.onCreate and reload.onDelete: a source that comes or goes is a reason, an installation is none", async () => {
  await using stack = await start({ reload: { onCreate: true, onDelete: true } }, async (fresh) => {
    await deploy(fresh, "uses", {
      uses: [
        { as: "envFrom", configMap: "cfg" },
        { as: "volume", configMap: "later" },
      ],
    });
    await deploy(fresh, "named", { annotations: { [NAMED]: "late.*" } });
    await deploy(fresh, "bystander", {
      uses: [{ as: "envFrom", configMap: "cfg" }],
      annotations: {},
    });
    await rolledOut(fresh, ["uses", "named", "bystander"]);
  });
  await waitSettled(stack, "uses");
  await waitSettled(stack, "named");
  expect(wordsOf(await stack.events(), "uses")).toEqual([]);

  await stack.source("later");
  await stack.waitEvent("succeeded", "uses", 1);
  await stack.waitEvent("succeeded", "named", 1);
  await stack.api.remove(paths.configMap(stack.namespace, "later"));
  await stack.waitEvent("succeeded", "uses", 2);
  await stack.waitEvent("succeeded", "named", 2);
  await stack.source("later", { a: "other" });
  await stack.waitEvent("succeeded", "uses", 3);
  const generations = await Promise.all(
    ["uses", "bystander"].map((name) => generationOf(stack, name)),
  );
  expect(generations).toEqual([4, 1]);
});

test("without them a source that goes and comes back as it was rolls nothing, with other data it rolls", async () => {
  await using stack = await start({}, async (fresh) => {
    await deploy(fresh, "uses", { uses: [{ as: "envFrom", configMap: "cfg" }] });
    await rolledOut(fresh, ["uses"]);
  });
  await waitSettled(stack, "uses");
  const remove = () => stack.api.remove(paths.configMap(stack.namespace, "cfg"));
  await remove();
  await stack.waitEvent("deleted", "cfg");
  await stack.source("cfg");
  await stack.waitEvent("created", "cfg", 1);
  await remove();
  await stack.waitEvent("deleted", "cfg", 2);
  await stack.source("cfg", { a: "2" });
  await stack.waitEvent("succeeded", "uses");
  expect(wordsOf(await stack.events(), "uses")).toEqual(["planned", "started", "succeeded"]);
  expect(await generationOf(stack, "uses")).toBe(2);
});

test("beside Reloader: its variables are adopted, a restart by it is noticed, the strategy takes them over", async () => {
  const config = { reload: { strategy: "reloader-env-vars" } };
  await using stack = await start(config, async (fresh) => {
    const { api, namespace } = fresh;
    await api.create(paths.secret(namespace), secret(namespace, "sec", { p: "1" }));
    await deploy(fresh, "web", {
      uses: [
        { as: "envFrom", configMap: "cfg" },
        { as: "envFrom", secret: "sec" },
      ],
    });
    await reloaderMarks(fresh, "STAKATER_CFG_CONFIGMAP", SHA1);
    await rolledOut(fresh, ["web"]);
  });
  await waitSettled(stack, "web");
  const env = async () => {
    const [container] = (await template(stack, "web")).spec.containers;
    return Object.fromEntries(
      (container?.env ?? []).map(({ name, value }) => [name, value] as const),
    );
  };
  expect(wordsOf(await stack.events(), "web")).toEqual([]);
  await setSecretKey(stack, "sec", "p", "2");
  await stack.waitEvent("succeeded", "web");
  expect(await env()).toEqual({
    STAKATER_CFG_CONFIGMAP: SHA1,
    STAKATER_SEC_SECRET: expect.stringMatching(/^[a-z0-9]+\.[0-9a-f]{32}$/),
  });
  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("succeeded", "web", 2);
  expect((await env()).STAKATER_CFG_CONFIGMAP).not.toBe(SHA1);
  expect(await generationOf(stack, "web")).toBe(4);
});

/** Marks as Reloader 1.4 writes them: one variable of the first container. */
async function reloaderMarks(stack: Stack, name: string, value: string) {
  const { spec } = await template(stack, "web");
  const containers = spec.containers.map((container) => ({ ...container, env: [{ name, value }] }));
  await stack.api.patch(
    paths.deployment(stack.namespace, "web"),
    { spec: { template: { spec: { containers } } } },
    "Reloader",
  );
}

test("rollcast.dev/effect: notify tells and does not roll; the annotation strategy writes Reloader's JSON", async () => {
  const config = { reload: { strategy: "reloader-annotations" } };
  await using stack = await start(config, async (fresh) => {
    const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
    await deploy(fresh, "told", {
      uses,
      annotations: { [`${R}/auto`]: "true", "rollcast.dev/effect": "notify" },
    });
    await deploy(fresh, "web", { uses });
    await rolledOut(fresh, ["told", "web"]);
  });
  await waitSettled(stack, "web");
  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("succeeded", "web");
  const skipped = await stack.waitEvent("skipped", "told");
  expect(skipped.data).toMatchObject({ reason: "Notify", cause: { name: "cfg" } });
  expect(await generationOf(stack, "told")).toBe(1);
  const { metadata } = await template(stack, "web");
  expect(JSON.parse(metadata?.annotations?.[`${R}/last-reloaded-from`] ?? "{}")).toMatchObject({
    type: "CONFIGMAP",
    name: "cfg",
    namespace: stack.namespace,
    containerRefs: ["app"],
    observedAt: expect.closeTo(Date.now() / 1_000, -3),
  });
});
