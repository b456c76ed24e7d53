import { setTimeout as sleep } from "node:timers/promises";
import { KubeError } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import { isDemoRunning } from "./demo-state.ts";
import {
  CONFIG_MAPS,
  DEMO,
  DEPLOYMENTS,
  IN_NAMESPACE,
  LABEL,
  LABELS,
  SECRETS,
  demoObjects,
} from "./demo-objects.ts";
import type { DemoObject } from "./demo-objects.ts";
import type { Printer } from "./printer.ts";
import type { DemoExpectation } from "./demo-expectation.ts";

const POLL_INTERVAL_MS = 100;

async function until(check: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await check())) await sleep(POLL_INTERVAL_MS, undefined, { signal });
}

type PlayOptions = {
  readonly client: KubeClient;
  /** Whether a change will be noticed: the content that the Deployments run with is recorded. */
  readonly isReady: () => Promise<boolean>;
  readonly printer: Printer;
  readonly expectation: DemoExpectation;
  readonly signal: AbortSignal;
};

/** Applies the demo and waits until it runs. Disposal of the result removes it. */
export async function prepareDemo(
  client: KubeClient,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  undo.use(await applyDemo(client));
  await until(() => isDemoRunning(client), signal);
  const kept = undo.move();
  return { [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
}

/**
 * Changes the demo's ConfigMap and waits until the expectation is met. Throws with the reason if it
 * cannot be.
 */
export async function playDemo(options: PlayOptions): Promise<void> {
  const { client, isReady, printer, expectation, signal } = options;
  await until(isReady, signal);
  printer.say("");
  expectation.begin();
  const value = await editDemo(client);
  printer.timed(
    `somebody sets ${DEMO.key}=${value} in ConfigMap ${DEMO.namespace}/${DEMO.configMap}`,
    Date.now(),
  );
  await expectation.happened;
}

function isStatus(err: unknown, status: number): boolean {
  return err instanceof KubeError && err.status === status;
}

/**
 * Applies the demo. Disposal removes only what this created. Throws if an object of the same name
 * is not the demo's.
 */
async function applyDemo(client: KubeClient): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  for (const [collection, object] of demoObjects()) {
    const uid = await createOrAdopt(client, collection, object);
    // A namespace that existed before stays, even one of an earlier demo: it may be in use by now.
    if (uid === undefined) continue;
    const path = `${collection}/${object.metadata.name}`;
    undo.defer(() => remove(client, path, uid, object.kind));
  }
  const kept = undo.move();
  return { [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
}

/** Returns the uid of the object to remove later; undefined for a namespace that existed before. */
async function createOrAdopt(
  client: KubeClient,
  collection: string,
  object: DemoObject,
): Promise<string | undefined> {
  const path = `${collection}/${object.metadata.name}`;
  try {
    const query = { fieldManager: "rollcast-demo" };
    const created = await client.request<DemoObject>({
      method: "POST",
      path: collection,
      query,
      body: object,
    });
    return created.metadata.uid;
  } catch (err) {
    if (!isStatus(err, 409)) throw err;
  }
  if (object.kind === "Namespace") return undefined;
  const existing = await client.request<DemoObject>({ method: "GET", path });
  if (existing.metadata.labels?.[LABEL] !== LABELS[LABEL]) {
    throw new Error(
      `${object.kind} ${DEMO.namespace}/${object.metadata.name} exists and is not the demo's: nothing was changed there`,
    );
  }
  return existing.metadata.uid;
}

async function remove(client: KubeClient, path: string, uid: string, kind: string): Promise<void> {
  if (kind === "Namespace" && (await holdsMore(client))) return;
  const body = {
    apiVersion: "v1",
    kind: "DeleteOptions",
    // Deletes only the object that was created, not another of the same name.
    preconditions: { uid },
    propagationPolicy: "Background",
  };
  await client.request({ method: "DELETE", path, body }).catch((err: unknown) => {
    if (!isStatus(err, 404) && !isStatus(err, 409)) throw err;
  });
}

/** Whether the demo's namespace contains objects of others. */
async function holdsMore(client: KubeClient): Promise<boolean> {
  const collections = [CONFIG_MAPS, SECRETS, DEPLOYMENTS, `${IN_NAMESPACE}/persistentvolumeclaims`];
  for (const path of collections) {
    const { items } = await client.request<{ items: DemoObject[] }>({ method: "GET", path });
    // Kubernetes puts its CA's certificate into every namespace.
    if (items.some((item) => item.metadata.name !== "kube-root-ca.crt")) return true;
  }
  return false;
}

/** Changes `LOG_LEVEL` as `kubectl edit` would; returns the new value. */
async function editDemo(client: KubeClient): Promise<string> {
  const path = `${CONFIG_MAPS}/${DEMO.configMap}`;
  const before = await client.request<{ data?: Record<string, string> }>({ method: "GET", path });
  const value = before.data?.[DEMO.key] === "debug" ? "info" : "debug";
  await client.request({
    method: "PATCH",
    path,
    query: { fieldManager: "kubectl-edit" },
    contentType: "application/merge-patch+json",
    body: { data: { [DEMO.key]: value } },
  });
  return value;
}
