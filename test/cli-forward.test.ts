import { paths, secret } from "@rollcast/testkit/objects";
import { expect, test } from "vitest";
import { createReadyPod, startFakeKubelet } from "./fake-kubelet.ts";
import { apiToken, apiUrl } from "./restarter-api.ts";
import { rollcast } from "./rollcast.ts";
import { startStack } from "./stack.ts";

test("without --server the API is found through the kubeconfig: a forwarded port to a ready pod, the token from its Secret", async () => {
  await using stack = await startStack({ services: ["watcher"] });
  const { api, kubeconfig, namespace } = stack;
  const access = await apiToken(stack);
  const config = { restarter: { api: access.config } };
  const { port } = new URL(await apiUrl(await stack.start("restarter", { config })));
  const ask = () =>
    rollcast(["status", "--kubeconfig", kubeconfig, "--rollcast-namespace", namespace]);

  const nowhere = await ask();
  expect([nowhere.code, nowhere.err]).toEqual([
    3,
    expect.stringContaining("no restarter is ready"),
  ]);

  await using kubelet = await startFakeKubelet(api);
  await createReadyPod(api, namespace, {
    name: "rollcast-restarter-0",
    node: kubelet.node,
    labels: {
      "app.kubernetes.io/name": "rollcast",
      "app.kubernetes.io/component": "restarter",
    },
    ports: { api: Number(port) },
  });
  const locked = await ask();
  expect([locked.code, locked.err]).toEqual([3, expect.stringContaining("rollcast-api")]);

  const { token } = access;
  await api.create(paths.secret(namespace), secret(namespace, "rollcast-api", { token }));
  const answer = await ask();
  expect(answer).toMatchObject({ code: 0, err: "" });
  expect(answer.out).toContain("cluster test, mode active");
});

test("where the services are one process, each API is found by the name of its port", async () => {
  await using stack = await startStack({ services: [] });
  const { api, kubeconfig, namespace } = stack;
  const access = await apiToken(stack);
  const config = {
    restarter: { api: access.config },
    notifier: { api: access.config },
  };
  const service = await stack.start("all-in-one", { config });
  const ports: Record<string, number> = {};
  for (const name of ["restarter", "notifier"]) {
    const line = await service.waitLog(
      (entry) => entry.msg === "api listening" && entry.service === name,
    );
    ports[`${name}-api`] = Number(line.port);
  }
  await using kubelet = await startFakeKubelet(api);
  const labels = {
    "app.kubernetes.io/name": "rollcast",
    "app.kubernetes.io/component": "all-in-one",
  };
  const { node } = kubelet;
  await createReadyPod(api, namespace, { name: "rollcast-all-in-one-0", node, labels, ports });
  const { token } = access;
  await api.create(paths.secret(namespace), secret(namespace, "rollcast-api", { token }));
  const where = ["--kubeconfig", kubeconfig, "--rollcast-namespace", namespace];

  const status = await rollcast(["status", ...where]);
  expect(status).toMatchObject({ code: 0, err: "" });
  expect(status.out).toContain("cluster test, mode active");
  const letters = await rollcast(["dead-letters", "list", ...where]);
  expect(letters).toMatchObject({ code: 0, err: "" });
});
