import {
  StatusView,
  getImpact,
  listStale,
  listWorkloads,
} from "@rollcast/shared/api/workload-routes";
import { WorkloadDetail } from "@rollcast/shared/api/workload-views";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { AUTO, deployment } from "@rollcast/testkit/deployment";
import { job, pathOf } from "@rollcast/testkit/shapes";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { recordKey } from "@rollcast/shared/subjects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { REFUSAL, refuseTemplates } from "./refuse-templates.ts";
import { apiClient, apiToken, apiUrl } from "./restarter-api.ts";
import { generationOf, setKey, startStack, waitSettled, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

const WEB = { as: "envFrom", configMap: "cfg" } as const;
const ONE = { as: "env", configMap: "cfg", key: "a" } as const;

async function startWithApi(config: object = {}) {
  await using undo = new AsyncDisposableStack();
  const stack = undo.use(await startStack({ services: ["watcher"], config }));
  const access = await apiToken(stack);
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "1", b: "1" }));
  for (const [name, use, annotations] of [
    ["web", WEB, undefined],
    ["one", ONE, undefined],
    ["other", WEB, {}],
  ] as const) {
    const shape = { uses: [use], annotations };
    await api.create(paths.deployment(namespace), deployment(namespace, name, shape));
    await waitRolledOut(api, namespace, name);
  }
  const service = await stack.start("restarter", { config: { restarter: { api: access.config } } });
  for (const name of ["web", "one"]) await waitSettled(stack, name);
  const call = apiClient(await apiUrl(service), access.token);
  const kept = undo.move();
  return { stack, call, service, access, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const at = (stack: Stack, name: string) => `/v1/workloads/Deployment/${stack.namespace}/${name}`;

test("workloads, status and one workload with each source, check and its last rollouts", async () => {
  await using harness = await startWithApi();
  const { stack, call } = harness;
  const page = listWorkloads.response?.parse(await call("GET", "/v1/workloads"));
  expect(page?.items.map(({ name, states, queue }) => [name, states, queue])).toEqual([
    ["one", ["current"], "default"],
    ["web", ["current"], "default"],
  ]);
  const first = listWorkloads.response?.parse(await call("GET", "/v1/workloads?limit=1"));
  expect(first?.items).toHaveLength(1);
  const rest = await call<{ items: unknown[] }>("GET", `/v1/workloads?cursor=${first?.next}`);
  expect(rest.items).toHaveLength(1);

  await setKey(stack, "cfg", "b", "2");
  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  const detail = WorkloadDetail.parse(await call("GET", at(stack, "web")));
  expect(detail).toMatchObject({
    states: ["current"],
    mayRoll: true,
    next: { do: "keep" },
    last: { outcome: "succeeded", reason: "Complete" },
    sources: [{ name: "cfg", equal: true, rolls: true, check: "auto", keys: "*" }],
  });
  expect(detail.events.map(({ outcome }) => outcome)).toEqual(["succeeded", "started", "planned"]);
  expect(detail.events[1]?.cause?.changedKeys?.changed).toEqual(["b"]);
  const [source] = detail.sources;
  expect(source?.running).toMatch(/^[0-9a-f]{8}$/);
  expect(source?.checks.at(-1)).toEqual({ check: "auto", applies: true });

  const other = WorkloadDetail.parse(await call("GET", at(stack, "other")));
  expect(other).toMatchObject({
    mayRoll: false,
    next: { do: "keep", reason: "NotOptedIn" },
    sources: [{ rolls: false, check: "not-opted-in" }],
  });
  const status = StatusView.parse(await call("GET", "/v1/status"));
  expect(status).toMatchObject({
    cluster: "test",
    mode: "active",
    workloads: 3,
    mayRoll: 2,
    states: { current: 2 },
    faults: [],
    eventsPending: 0,
  });
});

test("impact says what would roll and why the others would not, and what then rolls is just that", async () => {
  await using harness = await startWithApi();
  const { stack, call } = harness;
  const { namespace } = stack;
  const query = `/v1/impact?kind=ConfigMap&namespace=${namespace}&name=cfg&keys=b`;
  const impact = getImpact.response?.parse(await call("GET", query));
  expect(impact?.exists).toBe(true);
  expect(impact?.items.map(({ name, would, check }) => [name, would, check])).toEqual([
    ["one", "keep", "other-keys"],
    ["other", "keep", "not-opted-in"],
    ["web", "roll", "auto"],
  ]);
  await setKey(stack, "cfg", "b", "2");
  await stack.waitEvent("succeeded", "web");
  expect(await generationOf(stack, "web")).toBe(2);
  for (const name of ["one", "other"]) expect(await generationOf(stack, name), name).toBe(1);
  const none = `/v1/impact?kind=Secret&namespace=${namespace}&name=cfg`;
  expect(await call("GET", none)).toMatchObject({ exists: false, items: [] });
});

test("a record that cannot be read is named, and the others are answered for", async () => {
  await using harness = await startWithApi();
  const { stack, call } = harness;
  const { namespace } = stack;
  await using nats = await stack.connect();
  const spoil = (bucket: string, kind: string, name: string) => {
    const key = recordKey("test", { kind, namespace, name });
    return nats.js.publish(`$KV.${bucket}.${key}`, "unreadable");
  };
  const query = `/v1/impact?kind=ConfigMap&namespace=${namespace}&name=cfg`;
  const impact = async () => {
    const answer = getImpact.response?.parse(await call("GET", query));
    const rows = answer?.items.map(({ name, would, message }) => [name, would, message]);
    return { exists: answer?.exists, rows };
  };
  const sentence = (kind: string, name: string) =>
    expect.stringContaining(`record test.${kind}.${namespace}.${name} in `);
  await spoil("workloads", "Deployment", "one");
  expect(await impact()).toEqual({
    exists: true,
    rows: [
      ["one", "unknown", sentence("deployment", "one")],
      ["other", "keep", expect.anything()],
      ["web", "roll", expect.anything()],
    ],
  });
  const { problem } = await call<{ problem: object }>("GET", at(stack, "one"));
  const detail = sentence("deployment", "one");
  expect(problem).toMatchObject({ status: 500, code: "unreadable", detail });
  await spoil("sources", "ConfigMap", "cfg");
  const unknown = ["one", "other", "web"].map((name) => [name, "unknown", expect.anything()]);
  expect(await impact()).toMatchObject({ exists: true, rows: unknown });
});

test("a roll is made once for each request id, whoever is asked how often", async () => {
  await using harness = await startWithApi();
  const { stack, call, access } = harness;
  const second = await stack.start("restarter", { config: { restarter: { api: access.config } } });
  const callSecond = apiClient(await apiUrl(second), access.token);
  const path = `${at(stack, "web")}/roll`;
  const answers = await Promise.all(
    [call, callSecond, call, callSecond].map((ask) =>
      ask<{ accepted: boolean }>("POST", path, { requestId: "request-one" }),
    ),
  );
  expect(answers.filter(({ accepted }) => accepted)).toHaveLength(1);
  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  expect(await call("POST", path, { requestId: "request-one" })).toMatchObject({ accepted: false });
  await call("POST", path, { requestId: "request-two" });
  await stack.waitEvent("succeeded", "web", 2);
  await waitSettled(stack, "web");

  expect(await generationOf(stack, "web")).toBe(3);
  const words = ["started", "succeeded", "started", "succeeded"];
  expect(wordsOf(await stack.events(), "web")).toEqual(words);
  const started = await stack.waitEvent("started", "web");
  expect(started.data).toMatchObject({ reason: "Requested", message: "ann@test" });
});

test("a refused rollout is stale and told with its reason, and retry tries it at once", async () => {
  await using harness = await startWithApi();
  const { stack, call } = harness;
  {
    await using _policy = await refuseTemplates(stack, "web");
    await setKey(stack, "cfg", "a", "2");
    await stack.waitEvent("failed", "web");
    await stack.waitEvent("failed", "one");
    const stale = listStale.response?.parse(await call("GET", "/v1/stale"));
    expect(stale?.items.map(({ name }) => name).toSorted()).toEqual(["one", "web"]);
    const detail = WorkloadDetail.parse(await call("GET", at(stack, "web")));
    expect(detail.states).toEqual(["stale", "failed"]);
    expect(detail.failure?.message).toContain(REFUSAL);
    expect(detail.next).toMatchObject({ do: "wait", at: detail.failure?.retryAt });
    expect(detail.sources[0]).toMatchObject({ equal: false });
  }
  // The wait of a first refusal is half a minute and more.
  expect(await call("POST", `${at(stack, "web")}/retry`)).toMatchObject({ accepted: true });
  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  const left = listStale.response?.parse(await call("GET", "/v1/stale"));
  expect(left?.items.map(({ name }) => name)).toEqual(["one"]);
});

test("a Job of another controller is explained with its owner, and not rolled by request", async () => {
  await using harness = await startWithApi();
  const { stack, call } = harness;
  const { api, namespace } = stack;
  const source = await api.get<AnyObject>(paths.configMap(namespace, "cfg"));
  const { uid } = source.metadata;
  const owner = { apiVersion: "v1", kind: "ConfigMap", name: "cfg", uid, controller: true };
  const body = job(namespace, "worker", { annotations: AUTO, endless: true });
  const metadata = { ...body.metadata, ownerReferences: [owner] };
  await api.create(pathOf("batch/v1", namespace, "jobs"), { ...body, metadata });
  const path = `/v1/workloads/Job/${namespace}/worker`;
  const isIndexed = async () => (await call<{ mayRoll?: boolean }>("GET", path)).mayRoll === true;
  await waitFor(isIndexed, { message: "the Job to be known" });
  expect(WorkloadDetail.parse(await call("GET", path))).toMatchObject({
    states: ["current"],
    next: { do: "keep", reason: "Owned", message: expect.stringContaining("ConfigMap cfg") },
    sources: [{ check: "auto" }],
  });
  const answer = await call("POST", `${path}/roll`, { requestId: "request-1" });
  expect(answer).toMatchObject({ problem: { code: "Owned" } });
});

test("a hook of Helm is explained as one", async () => {
  await using harness = await startWithApi();
  const { stack, call } = harness;
  const { api, namespace } = stack;
  const annotations = { ...AUTO, "helm.sh/hook": "pre-upgrade" };
  const body = job(namespace, "migrate", { annotations, endless: true });
  await api.create(pathOf("batch/v1", namespace, "jobs"), body);
  const path = `/v1/workloads/Job/${namespace}/migrate`;
  const detail = async () => WorkloadDetail.safeParse(await call("GET", path)).data;
  await waitFor(async () => (await detail())?.mayRoll === true, { message: "the Job to be known" });
  expect(await detail()).toMatchObject({ sources: [{ check: "job-hook", rolls: false }] });
});

test("what cannot be done is refused with what to do", async () => {
  await using harness = await startWithApi();
  const { stack, call } = harness;
  const codeOf = async (method: string, path: string, body?: object) => {
    const answer = await call<{ problem: { code: string } }>(method, path, body);
    return answer.problem.code;
  };
  const request = { requestId: "request-1" };
  expect(await codeOf("GET", at(stack, "nothing"))).toBe("no-such-workload");
  expect(await codeOf("GET", `/v1/workloads/Pod/${stack.namespace}/web`)).toBe("unknown-kind");
  expect(await codeOf("POST", `${at(stack, "other")}/roll`, request)).toBe("not-opted-in");
  expect(await codeOf("POST", `${at(stack, "web")}/roll`, { requestId: "?" })).toBe("bad-request");
  expect(await codeOf("POST", `${at(stack, "web")}/retry`)).toBe("nothing-to-retry");
  expect(await codeOf("GET", "/v1/impact?kind=Pod&namespace=a&name=b")).toBe("bad-request");
  await stack.nats.kill();
  await waitFor(async () => (await codeOf("GET", "/v1/workloads")) === "unavailable", {
    message: "the API to say that NATS is gone",
  });
});
