import { expect, test } from "vitest";
import { NEVER_READY } from "../src/kwok.ts";
import { configMap, createNamespace, paths, waitRolledOut } from "../src/objects.ts";
import { deployment } from "../src/deployment.ts";
import { useCluster } from "../src/shared-cluster.ts";
import { waitFor } from "../src/wait.ts";

test("a Deployment becomes ready, and one that must not does not", async () => {
  const { api } = useCluster();
  await using namespace = await createNamespace(api);
  await api.create(paths.configMap(namespace.name), configMap(namespace.name, "cfg", { a: "1" }));
  const good = deployment(namespace.name, "good", {
    uses: [{ as: "envFrom", configMap: "cfg" }],
    replicas: 2,
  });
  const bad = deployment(namespace.name, "bad", {
    podAnnotations: { [NEVER_READY]: "true" },
    progressDeadlineSeconds: 2,
  });
  await api.create(paths.deployment(namespace.name), good);
  await api.create(paths.deployment(namespace.name), bad);

  await waitRolledOut(api, namespace.name, "good");
  const failed = await waitFor(
    async () => {
      const current = await api.get<{ status: { conditions?: { reason: string }[] } }>(
        paths.deployment(namespace.name, "bad"),
      );
      return current.status.conditions?.find(({ reason }) => reason === "ProgressDeadlineExceeded");
    },
    { message: "the deadline of the bad one" },
  );
  expect(failed.reason).toBe("ProgressDeadlineExceeded");
});
