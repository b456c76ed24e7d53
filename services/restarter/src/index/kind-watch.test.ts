import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { KubeError } from "@rollcast/kube/client";
import type { KubeClient, KubeRequest } from "@rollcast/kube/client";
import { argoRollout } from "@rollcast/kube/workloads/argo-rollout";
import { deployment } from "@rollcast/kube/workloads/deployment";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { createLogger } from "@rollcast/runtime/logger";
import { createMetrics } from "@rollcast/runtime/metrics";
import { expect, test } from "vitest";
import { rulesOf } from "../../test/given.ts";
import { watchKinds } from "./kinds.ts";
import { createProject } from "./pod-templates.ts";
import { createWorkloadIndex } from "./workload-index.ts";

const EMPTY = JSON.stringify({ metadata: { resourceVersion: "1" }, items: [] });

/** An API server without objects, on which some requests, which are counted, end with an error. */
function apiServer(broken: RegExp, failed: () => void): KubeClient {
  const request = async ({ path, query, parse = JSON.parse as never }: KubeRequest) => {
    await setImmediate();
    if (broken.test(`${path}?${new URLSearchParams(query)}`)) {
      failed();
      throw new KubeError(503, "ServiceUnavailable", "not now");
    }
    if (/^\/apis\/argoproj\.io\/v1alpha1$/.test(path)) return { resources: [{ name: "rollouts" }] };
    return parse(Buffer.from(EMPTY));
  };
  return {
    server: "https://cluster",
    request: request as KubeClient["request"],
    stream: ({ signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      }),
    async [Symbol.asyncDispose]() {},
  };
}

async function watch(
  broken: RegExp,
  kinds: readonly WorkloadKind[],
  namespaces: readonly string[] = [],
) {
  const stack = new AsyncDisposableStack();
  const rules = rulesOf();
  const metrics = createMetrics();
  const served = new Set<string>();
  let failures = 0;
  const client = apiServer(broken, () => failures++);
  const { signal } = new AbortController();
  const watched = watchKinds(
    {
      client,
      project: createProject(client, rules, signal),
      index: createWorkloadIndex(rules),
      rules,
      logger: createLogger("test", "silent"),
      signal,
      namespaces,
      served: ({ kind }) => void served.add(kind),
      metrics,
      stack,
    },
    kinds,
  );
  return {
    ...watched,
    text: metrics.text,
    served,
    failures: () => failures,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test.concurrent.each([
  { name: "its group", broken: /argoproj/ },
  { name: "its lists", broken: /argoproj.*rollouts/ },
  { name: "its lists as a whole", broken: /argoproj.*rollouts\?.*limit=500/ },
])(
  "an optional kind whose API fails ($name) is named, and keeps the others waiting for seconds only",
  async ({ broken }) => {
    await using kinds = await watch(broken, [deployment, argoRollout]);

    await kinds.stateKnown;

    expect(kinds.ready()).toBeUndefined();
    expect(kinds.notes()).toEqual([
      "Rollout is not followed, its API fails: 503 ServiceUnavailable",
    ]);
    expect(await kinds.text()).toContain('rollcast_kind_unavailable{kind="Rollout"} 1');
    expect(await kinds.text()).toContain('rollcast_kind_unavailable{kind="Deployment"} 0');
    // Its workloads are asked for, and not taken for gone.
    expect([...kinds.served]).toEqual(["Deployment", "Rollout"]);
  },
  10_000,
);

test.concurrent("a kind that every cluster serves is waited for: its API is the API server's own", async () => {
  await using kinds = await watch(/^\/apis\/apps/, [deployment, argoRollout]);

  let isKnown = false;
  kinds.stateKnown.then(() => (isKnown = true)).catch(() => undefined);
  // Longer than an optional kind is waited for.
  await sleep(4_000);

  expect(isKnown).toBe(false);
  expect(await kinds.text()).toContain('rollcast_kind_unavailable{kind="Deployment"} 0');
});

test.concurrent("a namespace that cannot be asked for is asked for with a pause, though the others are listed", async () => {
  await using kinds = await watch(/namespaces\/b\//, [deployment], ["a", "b"]);

  await sleep(2_200);

  // Every 500 ms until all are known.
  expect(kinds.failures()).toBeGreaterThan(2);
  expect(kinds.failures()).toBeLessThan(10);
});
