import { randomBytes } from "node:crypto";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { DEFINITIONS, pathIn } from "@rollcast/testkit/definitions";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { deployment } from "@rollcast/testkit/deployment";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { custom, pathOf, statefulSet } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { mutateTemplates } from "./mutate-templates.ts";
import { ENDS, fateOf } from "./place.ts";
import type { Place } from "./place.ts";
import { useWorld } from "./world.ts";

const MARKER = "rollcast.dev/config";
const RUNNER = {
  group: `t${randomBytes(4).toString("hex")}.example.com`,
  version: "v1",
  kind: "Runner",
  plural: "runners",
};

/**
 * As controller-gen writes it: `metadata` of the pod template is an object without fields, so the
 * API server drops its annotations.
 */
async function defineRunners(api: Api): Promise<AsyncDisposable> {
  const { group, version, kind, plural } = RUNNER;
  const anything = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const template = { type: "object", properties: { metadata: { type: "object" }, spec: anything } };
  const properties = { replicas: { type: "integer" }, template };
  const schema = {
    openAPIV3Schema: {
      type: "object",
      properties: { spec: { type: "object", properties }, status: anything },
    },
  };
  await api.create(DEFINITIONS, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: "runner", listKind: "RunnerList" },
      versions: [
        { name: version, served: true, storage: true, subresources: { status: {} }, schema },
      ],
    },
  });
  await waitFor(() => api.get(`/apis/${group}/${version}/${plural}`), { message: "runners" });
  return {
    [Symbol.asyncDispose]: () => api.remove(`${DEFINITIONS}/${plural}.${group}`),
  };
}

const world = useWorld({
  places: [
    "taken",
    "ordered",
    "undone",
    "replaced",
    "pruned",
    "stripped",
    "labelled",
    "broken",
    "applied",
    "exported",
    "released",
  ],
  before: defineRunners,
  config: (namespaces) => ({
    kinds: [{ ...RUNNER, templatePath: "spec.template" }],
    queues: [
      { name: "default", window: "100ms" },
      { name: "late", match: { namespaces: [namespaces.replaced] }, window: "3s" },
    ],
  }),
});

/** The events to the first end, that one included. */
function toFirstEnd(events: readonly string[]): string[] {
  const end = events.findIndex((text) => ENDS.some((outcome) => text.startsWith(outcome)));
  return end === -1 ? [...events] : events.slice(0, end + 1);
}

/** How long a new pod must be ready before it counts: enough to act in the middle of a rollout. */
const MIN_READY_S = 8;

async function setMinReady(place: Place, path: string, seconds: number): Promise<void> {
  await place.api.patch(path, { spec: { minReadySeconds: seconds } }, "kubectl-edit");
}

function areAvailable(place: Place, path: string, count: number) {
  return async () => {
    const { status } = await place.api.get<{ status: { availableReplicas?: number } }>(path);
    return status.availableReplicas === count;
  };
}

/** Slows the next rollout down, and waits until the present pods have stood for so long. */
async function slowDown(place: Place, path: string): Promise<void> {
  const { spec } = await place.api.get<{ spec: { replicas: number } }>(path);
  const isReady = areAvailable(place, path, spec.replicas);
  await setMinReady(place, path, MIN_READY_S);
  // The status of before still counts by the shorter time.
  const isObserved = async () => {
    const { metadata, status } = await place.api.get<
      AnyObject & { status: { observedGeneration?: number } }
    >(path);
    return status.observedGeneration === metadata.generation;
  };
  await waitFor(isObserved, { message: "the longer time to be observed" });
  await waitFor(isReady, { message: "the pods to count" });
}

async function setMarker(place: Place, path: string, value: string | null): Promise<void> {
  const template = { metadata: { annotations: { [MARKER]: value } } };
  await place.api.patch(path, { spec: { template } }, "some-operator");
}

/**
 * Changes `cfg`, has somebody write the marker `to` while the first new pod is not yet taken for
 * ready, and lets everything come to rest. The controller goes back to the old pods, which never
 * stopped: they run the old content.
 */
async function interrupt(place: Place, to: string | null, begin: () => void) {
  const skip = place.events("web").length;
  const path = paths.deployment(place.namespace, "web");
  const before = await place.pods("web");
  await slowDown(place, path);
  begin();
  await place.change();
  await place.firstOf("web", ["started"], { skip });
  await waitFor(async () => (await place.pods("web")).length > before.length, {
    message: "the first new pod",
  });
  await setMarker(place, path, to);
  const end = await place.firstOf("web", ENDS, { skip });
  await setMinReady(place, path, 0);
  if (end?.startsWith("succeeded") !== true) {
    await place.firstOf("web", ["succeeded"], { skip });
  }
  await waitRolledOut(place.api, place.namespace, "web");
  return {
    events: toFirstEnd(place.events("web").slice(skip)),
    pods: fateOf(before, await place.pods("web")),
  };
}

const SURGE = { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
const INTERRUPTED = {
  right: { events: ["planned", "started", "superseded MarkerRemoved"], pods: "restarted" },
};

outcomeTest(
  "a rollout whose marker is taken away before its end does not succeed, and is made again (case 3)",
  INTERRUPTED,
  async (begin) => {
    const place = world("taken");
    await place.source();
    await place.deploy("web", { replicas: 2, spec: SURGE });
    return interrupt(place, null, begin);
  },
);

/** `kubectl rollout undo` brings the marker of the rollout before. */
outcomeTest(
  "a rollout that is undone before its end does not succeed, and is made again (defect 35)",
  INTERRUPTED,
  async (begin) => {
    const place = world("undone");
    await place.source();
    await place.deploy("web", { replicas: 2, spec: SURGE });
    await place.change();
    await place.firstOf("web", ["succeeded"]);
    const path = paths.deployment(place.namespace, "web");
    const { spec } = await place.api.get<{ spec: { template: AnyObject } }>(path);
    const marker = spec.template.metadata.annotations?.[MARKER] ?? "";
    return interrupt(place, marker, begin);
  },
);

/** The controller replaces the highest ordinals only: those of the new revision. */
/**
 * The pods of a release that does not get ready come beside those of before: once it is undone,
 * these are kept, and have never been restarted.
 */
outcomeTest(
  "a release that breaks in the middle of a rollout, and is undone, leaves no pod without the change (defect 35, release)",
  {
    right: {
      pods: "restarted",
      events: ["planned", "started", "superseded TemplateChanged", "started", "succeeded Complete"],
    },
  },
  async (begin) => {
    const place = world("released");
    const { api, namespace } = place;
    await place.source();
    await place.deploy("web", { replicas: 2, spec: { minReadySeconds: 3 } });
    const before = await place.pods("web");
    const write = (annotations: object, manager: string) =>
      api.patch(
        paths.deployment(namespace, "web"),
        { spec: { template: { metadata: { annotations } } } },
        manager,
      );
    await place.change();
    await place.firstOf("web", ["started"]);
    begin();
    await write({ [NEVER_READY]: "true" }, "helm");
    await place.firstOf("web", ["superseded"]);
    // As `kubectl rollout undo` to the revision of before.
    await write({ [NEVER_READY]: null, [MARKER]: null }, "kubectl-rollout");
    await place.firstOf("web", ["succeeded"], { withinMs: 20_000 });
    await waitRolledOut(api, namespace, "web");
    return { pods: fateOf(before, await place.pods("web")), events: place.events("web") };
  },
);

outcomeTest(
  "a rollout of a StatefulSet whose marker is taken away before its end does not succeed (case 3b, StatefulSet)",
  {
    right: { events: ["planned", "started", "superseded MarkerRemoved"], pods: "restarted" },
  },
  async (begin) => {
    const place = world("ordered");
    const sets = pathOf("apps/v1", place.namespace, "statefulsets");
    const path = `${sets}/db`;
    await place.source();
    await place.api.create(sets, statefulSet(place.namespace, "db", { replicas: 2 }));
    await waitFor(async () => (await place.pods("db")).length === 2, { message: "both pods" });
    await place.adopted("db", "StatefulSet");
    const isReady = areAvailable(place, path, 2);
    await waitFor(isReady, { message: "both pods to be ready" });
    const before = await place.pods("db");
    await slowDown(place, path);
    begin();
    await place.change();
    await place.firstOf("db", ["started"]);
    const isReplaced = async () => {
      const now = await place.pods("db");
      return now.length === 2 && fateOf(before, now) === "1 of 2 unchanged";
    };
    await waitFor(isReplaced, { message: "the first pod to be replaced" });
    await setMarker(place, path, null);
    await setMinReady(place, path, 0);
    const end = await place.firstOf("db", ENDS);
    if (end?.startsWith("succeeded") !== true) await place.firstOf("db", ["succeeded"]);
    await waitFor(isReady, { message: "both pods to be ready again" });
    return {
      events: toFirstEnd(place.events("db")),
      pods: fateOf(before, await place.pods("db")),
    };
  },
);

/**
 * Who writes the whole object without the marker starts all pods anew, with the content that is
 * present then.
 */
outcomeTest(
  "a workload at rest that is replaced as a whole just after the change is restarted once (defect 36)",
  {
    right: { restarts: 1, generation: 3 },
  },
  async (begin) => {
    const place = world("replaced");
    const path = paths.deployment(place.namespace, "web");
    await place.source();
    await place.deploy("web");
    await place.change();
    await place.firstOf("web", ["succeeded"]);
    await waitRolledOut(place.api, place.namespace, "web");
    const made = await place.podsMade("web");
    const { running } = (await place.record("web")) ?? {};
    begin();
    await place.change();
    const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
    const body = deployment(place.namespace, "web", { uses });
    await place.api.call({ method: "PUT", path, body, manager: "helm" });
    await waitRolledOut(place.api, place.namespace, "web");
    const isAtRest = async () => {
      const record = await place.record("web");
      const changed = JSON.stringify(record?.running) !== JSON.stringify(running);
      return changed && record?.phase === "current" && record.outbox.length === 0;
    };
    await waitFor(isAtRest, { message: "the new content to be recorded" });
    await waitRolledOut(place.api, place.namespace, "web");
    return {
      restarts: (await place.podsMade("web")) - made,
      generation: await place.generation("web"),
    };
  },
);

outcomeTest(
  "a custom resource whose definition drops the marker is told as failed (case 4)",
  {
    right: { events: ["planned", "failed MarkerNotKept"], generation: 1 },
  },
  async (begin) => {
    const place = world("pruned");
    const { namespace } = place;
    await place.source();
    const runner = custom(`${RUNNER.group}/v1`, "Runner", { namespace, name: "r" });
    await place.api.create(pathIn(namespace, RUNNER), runner);
    await place.adopted("r", "Runner");
    begin();
    await place.change();
    await place.firstOf("r", ENDS);
    const { metadata } = await place.api.get<AnyObject>(pathIn(namespace, RUNNER, "r"));
    return { events: place.events("r"), generation: metadata.generation ?? 0 };
  },
);

outcomeTest(
  "a Deployment whose marker is stripped by a policy is told as failed (defect 35, policy)",
  {
    right: { events: ["planned", "failed MarkerNotKept"], generation: 1, pods: "unchanged" },
  },
  async (begin, undo) => {
    const place = world("stripped");
    await place.source();
    await place.deploy("web");
    const annotations = "object.spec.template.metadata.annotations";
    undo.use(
      await mutateTemplates(place, {
        when: `has(${annotations}) && '${MARKER}' in ${annotations}`,
        patch: `[JSONPatch{op: "remove", path: "/spec/template/metadata/annotations/rollcast.dev~1config"}]`,
        probe: "web",
        isMutated: ({ metadata }) => metadata.annotations?.[MARKER] === undefined,
      }),
    );
    const before = await place.pods("web");
    begin();
    await place.change();
    await place.firstOf("web", ENDS);
    return {
      events: place.events("web"),
      generation: await place.generation("web"),
      pods: fateOf(before, await place.pods("web")),
    };
  },
);

/** The mutation came with our own patch: it is no edit by others. */
outcomeTest(
  "a rollout in whose patch a policy labels the template is followed to its end (case 5)",
  {
    right: { events: ["planned", "started", "succeeded Complete"] },
  },
  async (begin, undo) => {
    const place = world("labelled");
    await place.source();
    await place.deploy("web");
    undo.use(
      await mutateTemplates(place, {
        patch: `[JSONPatch{op: "add", path: "/spec/template/metadata/labels/cost-center", value: "42"}]`,
        probe: "web",
        isMutated: ({ metadata }) => metadata.labels?.["cost-center"] === "42",
      }),
    );
    begin();
    await place.change();
    await place.firstOf("web", ENDS);
    return { events: place.events("web") };
  },
);

outcomeTest(
  "a rollout in whose patch a policy breaks the template is told as failed (defect 38)",
  {
    right: { events: ["planned", "started", "failed ProgressDeadlineExceeded"] },
  },
  async (begin, undo) => {
    const place = world("broken");
    await place.source();
    await place.deploy("web", { podAnnotations: { own: "1" }, progressDeadlineSeconds: 3 });
    undo.use(
      await mutateTemplates(place, {
        patch: `[JSONPatch{op: "add", path: "/spec/template/metadata/annotations/test.rollcast.dev~1never-ready", value: "true"}]`,
        probe: "web",
        isMutated: ({ metadata }) => metadata.annotations?.[NEVER_READY] === "true",
      }),
    );
    begin();
    await place.change();
    await place.firstOf("web", ENDS);
    // Which of the two sees the deadline first is nothing of this case.
    return { events: place.events("web").filter((text) => !text.startsWith("stalled")) };
  },
);

/** The marker is a field that nobody else owns: no drift, no revert, no second rollout. */
outcomeTest(
  "a manifest that is applied again over a rolled workload leaves the marker, and one that replaces it is no change (case 24)",
  {
    right: {
      appliedGeneration: 2,
      drift: false,
      replacedGeneration: 3,
      events: [
        "planned",
        "started",
        "succeeded Complete",
        "planned",
        "started",
        "succeeded Complete",
      ],
      generation: 4,
    },
  },
  async () => {
    const place = world("applied");
    const { api, namespace } = place;
    const path = paths.deployment(namespace, "web");
    const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
    const body = deployment(namespace, "web", { uses });
    const contentType = "application/apply-patch+yaml";
    const apply = (query: string, manager: string) =>
      api.call<{ spec: { template: AnyObject } }>({
        method: "PATCH",
        path: `${path}${query}`,
        body,
        contentType,
        manager,
      });
    await place.source();
    await apply("", "helm-controller");
    await waitRolledOut(api, namespace, "web");
    await place.adopted("web");
    await place.change();
    await place.firstOf("web", ["succeeded"]);
    await apply("?force=true", "helm-controller");
    const appliedGeneration = await place.generation("web");
    const compared = await apply("?dryRun=All&force=true", "drift-detection");
    await api.call({ method: "PUT", path, body });
    await waitRolledOut(api, namespace, "web");
    const replacedGeneration = await place.generation("web");
    await place.change();
    await place.firstOf("web", ["succeeded"], { skip: 3 });
    return {
      appliedGeneration,
      drift: compared.spec.template.metadata.annotations?.[MARKER] === undefined,
      replacedGeneration,
      events: place.events("web"),
      generation: await place.generation("web"),
    };
  },
);

/**
 * A manifest that was exported from the cluster has the marker in it, and its next sync would take
 * the marker back: what keeps it from that must say whose field it is.
 */
outcomeTest(
  "a manifest that was exported with a marker in it does not take a later marker back, and the conflict names its owner (case 24, exported)",
  {
    right: {
      conflict: "names rollcast",
      kept: true,
      events: ["planned", "started", "succeeded Complete"],
    },
  },
  async () => {
    const place = world("exported");
    const { api, namespace } = place;
    const path = paths.deployment(namespace, "web");
    const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
    const podAnnotations = { [MARKER]: '{"exported":"from another cluster"}' };
    const body = deployment(namespace, "web", { uses, podAnnotations });
    const contentType = "application/apply-patch+yaml";
    const sync = () => api.call({ method: "PATCH", path, body, contentType, manager: "gitops" });
    const marker = async () => {
      const { spec } = await api.get<{ spec: { template: AnyObject } }>(path);
      return spec.template.metadata.annotations?.[MARKER];
    };
    await place.source();
    await sync();
    await waitRolledOut(api, namespace, "web");
    await place.adopted("web");
    await place.change();
    await place.firstOf("web", ["succeeded"]);
    const ours = await marker();
    const answer = await sync().then(() => "none", String);
    return {
      conflict: /conflict with \\*"rollcast/.test(answer) ? "names rollcast" : answer,
      kept: (await marker()) === ours,
      events: place.events("web"),
    };
  },
);
