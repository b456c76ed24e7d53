import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  closeNode,
  openNodeSelector,
  setOpen as setNodeOpen,
} from "@rollcast/testkit/closed-nodes";
import { deployment } from "@rollcast/testkit/deployment";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect } from "vitest";
import { MARKER } from "../src/model/content.ts";
import { startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

export const MARKER_PATH = `/spec/template/metadata/annotations/${MARKER.replace("/", "~1")}`;
const JSON_PATCH = "application/json-patch+json";

type Template = { metadata: { labels: Record<string, string>; annotations?: object } };
export type Workload = AnyObject & { spec: { template: Template; nodeSelector?: object } };
type Pods = { items: (AnyObject & { spec: { nodeName?: string } })[] };

export const HALFWAY = ["planned", "started", "superseded", "started", "succeeded"];
export const TAKEN_OFF =
  "Rollcast's annotation was taken off the pod template in the middle of the rollout";

async function startApi(harness: RestarterHarness) {
  const token = randomBytes(24).toString("base64url");
  const tokenFile = join(harness.dir, "token");
  await writeFile(tokenFile, token);
  const restarter = await harness.start({
    config: { restarter: { api: { listen: "127.0.0.1:0", tokenFile } } },
  });
  const { port } = await restarter.waitLog(({ msg }) => msg === "api listening");
  /** Calls the restarter's API about a Deployment. */
  return async <T>(name: string, action?: "roll" | "retry"): Promise<T> => {
    const at = `/v1/workloads/Deployment/${harness.namespace}/${name}`;
    const body = action === "roll" ? { requestId: randomBytes(8).toString("hex") } : {};
    const write = {
      method: "POST",
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    };
    const response = await fetch(
      `http://127.0.0.1:${String(port)}${at}${action === undefined ? "" : `/${action}`}`,
      action === undefined ? { headers: { authorization: `Bearer ${token}` } } : write,
    );
    const answer = await response.text();
    if (!response.ok) throw new Error(answer);
    return JSON.parse(answer) as T;
  };
}

/** Deployments of two pods, and what others do to their marker. */
export type MarkerHarness = Awaited<ReturnType<typeof startMarkerHarness>>;

export async function startMarkerHarness() {
  const harness = await startRestarterHarness();
  const ask = await startApi(harness);
  async function podsOf(name: string) {
    const path = `${paths.pod(harness.namespace)}?labelSelector=app%3D${name}`;
    const { items } = await harness.api.get<Pods>(path);
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  async function uidsOf(name: string): Promise<string[]> {
    return (await podsOf(name)).map(({ metadata }) => metadata.uid ?? "");
  }

  const setOpen = (name: string, open: boolean) => {
    return setNodeOpen(harness.api, harness.namespace, open, name);
  };
  const hold = (name: string) => closeNode(harness.api, harness.namespace, name);

  function manifest(name: string, spec: object = {}, annotations: object = {}) {
    const uses = [{ as: "envFrom", configMap: name }] as const;
    const object = deployment(harness.namespace, name, { uses, replicas: 2 });
    const { template } = object.spec;
    const podSpec = { ...template.spec, nodeSelector: openNodeSelector(harness.namespace, name) };
    return {
      ...object,
      metadata: {
        ...object.metadata,
        annotations: { ...object.metadata.annotations, ...annotations },
      },
      spec: {
        ...object.spec,
        strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        ...spec,
        template: { ...template, spec: podSpec },
      },
    };
  }

  const pathOfWeb = (name: string) => paths.deployment(harness.namespace, name);

  /** Makes a Deployment of two pods that run the content `0` of a ConfigMap of its name. */
  async function deploy(name: string, object: object = manifest(name)): Promise<void> {
    const { api, namespace } = harness;
    await setOpen(name, true);
    await harness.adopt(name, "0");
    await api.create(paths.deployment(namespace), object);
    await waitRolledOut(api, namespace, name);
    await harness.waitCurrent("Deployment", name);
  }

  /** Changes the content while no new pod can start, and waits until there is one that would. */
  async function rollHalfway(name: string, content = "1", starts = 1): Promise<void> {
    await hold(name);
    const before = await uidsOf(name);
    await harness.change(name, content);
    await harness.waitEvent("started", name, starts);
    const isBegun = async () => {
      const pods = await podsOf(name);
      return pods.some(({ metadata, spec }) => {
        return spec.nodeName === undefined && !before.includes(metadata.uid ?? "");
      });
    };
    await waitFor(isBegun, { message: `the first new pod of ${name}` });
  }

  /** The write of a whole object: what `kubectl replace` and Helm's `--force` do. */
  async function replace(name: string, manager = "kubectl-replace"): Promise<void> {
    await harness.api.call({ method: "PUT", path: pathOfWeb(name), body: manifest(name), manager });
  }

  /** Takes the marker off as an operator does that keeps the template as it wants it. */
  async function strip(name: string): Promise<void> {
    await harness.api.call({
      method: "PATCH",
      path: pathOfWeb(name),
      body: [{ op: "remove", path: MARKER_PATH }],
      contentType: JSON_PATCH,
      manager: "some-operator",
    });
  }

  /** The request of `kubectl rollout undo --to-revision`: k8s.io/kubectl, rollback.go. */
  async function undo(name: string, revision: number): Promise<void> {
    const { api, namespace } = harness;
    const key = "deployment.kubernetes.io/revision";
    const { items } = await api.get<{ items: Workload[] }>(
      `${paths.replicaSet(namespace)}?labelSelector=app%3D${name}`,
    );
    const of = items.find(({ metadata }) => metadata.annotations?.[key] === String(revision));
    const { template } = of?.spec ?? {};
    if (template === undefined) throw new Error(`${name} has no revision ${revision}`);
    const { "pod-template-hash": _, ...labels } = template.metadata.labels;
    const value = { ...template, metadata: { ...template.metadata, labels } };
    const { annotations } = (await api.get<Workload>(pathOfWeb(name))).metadata;
    await api.call({
      method: "PATCH",
      path: pathOfWeb(name),
      body: [
        { op: "replace", path: "/spec/template", value },
        { op: "replace", path: "/metadata/annotations", value: annotations },
      ],
      contentType: JSON_PATCH,
      manager: "kubectl",
    });
  }

  /** The events of a workload after the first `skip`, once it is rolled out with new pods only. */
  async function finish(name: string, before: readonly string[], successes = 1): Promise<string[]> {
    await setOpen(name, true);
    await harness.waitEvent("succeeded", name, successes);
    await waitRolledOut(harness.api, harness.namespace, name);
    const left = (await uidsOf(name)).filter((uid) => before.includes(uid));
    expect(left, "pods of before the change").toEqual([]);
    return wordsOf(await harness.events(), name);
  }

  async function endOf(name: string, starts: number): Promise<string> {
    const { reason, message } = await harness.waitEvent("superseded", name);
    await harness.waitEvent("started", name, starts);
    return `${reason}: ${message}`;
  }
  return {
    harness,
    ask,
    deploy,
    uidsOf,
    setOpen,
    hold,
    manifest,
    pathOfWeb,
    rollHalfway,
    replace,
    strip,
    undo,
    finish,
    endOf,
  };
}
