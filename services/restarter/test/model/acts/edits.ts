import { NEVER_READY } from "@rollcast/testkit/kwok";
import { MARKER } from "../../../src/model/content.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import type { Draft, Fields, KubeObject } from "../cluster/object.ts";
import type { WorkloadName, WorldConfig } from "../world/config.ts";
import type { Edit } from "./act.ts";
import { manifest, workloadRef } from "./objects.ts";

const OWNER = { manager: "owner" } as const;
/** By which field a kind is paused, if it can be. */
const PAUSED: Readonly<Record<string, string>> = {
  Deployment: "paused",
  Rollout: "paused",
  CloneSet: "paused",
  CronJob: "suspend",
  Job: "suspend",
};
const OPT_IN = "rollcast.dev/auto";
/** `/spec/template/metadata/annotations/rollcast.dev~1config` */
const MARKER_PATH = `/spec/template/metadata/annotations/${MARKER.replace("/", "~1")}`;

type Template = { metadata?: { annotations?: Readonly<Record<string, string>> } };

export function markerOf(object: KubeObject): string | undefined {
  const template = object.spec?.template as Template | undefined;
  return template?.metadata?.annotations?.[MARKER];
}

/** The last marker that a workload had before the one it has now. */
function markerBefore(store: ObjectStore, workload: KubeObject): string | undefined {
  const now = markerOf(workload);
  const { kind, metadata } = workload;
  const markers = store
    .events()
    .filter(({ object }) => object.kind === kind && object.metadata.name === metadata.name)
    .map(({ object }) => markerOf(object));
  return markers.findLast((marker) => marker !== undefined && marker !== now);
}

function make(store: ObjectStore, config: WorldConfig, name: WorkloadName): void {
  if (store.get(workloadRef(config, name)) === undefined)
    store.create(manifest(config, name), OWNER);
}

function replaceWith(store: ObjectStore, object: Draft): void {
  store.update(object, OWNER);
}

function pause(kind: string, value: true | null): Fields {
  const field = PAUSED[kind];
  return field === undefined ? {} : { [field]: value };
}

/** A patch of the pod template. */
function templatePatch(kind: string, template: Fields): Fields {
  return kind === "CronJob"
    ? { spec: { jobTemplate: { spec: { template } } } }
    : { spec: { template } };
}

export type EditOptions = { readonly config: WorldConfig; readonly name: WorkloadName };

/** A workload's owner changes it; nothing happens where it is not there. */
export function applyEdit(store: ObjectStore, edit: Edit, { config, name }: EditOptions): void {
  const ref = workloadRef(config, name);
  const object = store.get(ref);
  const merge = (patch: Fields) => void store.patch(ref, patch, { type: "merge", ...OWNER });
  if (edit === "deletes it and makes it again") {
    if (object !== undefined) store.remove(ref);
    return make(store, config, name);
  }
  if (object === undefined)
    return edit === "applies the manifest" ? make(store, config, name) : undefined;
  switch (edit) {
    case "edits the template": {
      const edited = String(object.metadata.generation ?? 0);
      return merge(templatePatch(ref.kind, { metadata: { annotations: { edited } } }));
    }
    case "edits a label":
      return merge({ metadata: { labels: { edited: object.metadata.resourceVersion } } });
    case "removes the marker":
      if (markerOf(object) === undefined) return;
      store.patch(ref, [{ op: "remove", path: MARKER_PATH }], { type: "json", ...OWNER });
      return;
    case "puts the marker before back": {
      const marker = markerBefore(store, object);
      if (marker === undefined || markerOf(object) === undefined) return;
      const value = [{ op: "replace" as const, path: MARKER_PATH, value: marker }];
      store.patch(ref, value, { type: "json", ...OWNER });
      return;
    }
    case "replaces it with the manifest":
      return replaceWith(store, manifest(config, name));
    case "applies the manifest":
      store.apply(manifest(config, name), { manager: "owner", force: true });
      return;
    case "pauses it":
      return merge({ spec: pause(ref.kind, true) });
    case "resumes it":
      return merge({ spec: pause(ref.kind, null) });
    case "deletes it":
      store.remove(ref);
      return;
    case "deletes it and leaves its pods":
      store.remove(ref, { propagation: "Orphan" });
      return;
    case "makes its pods never ready":
      return merge(
        templatePatch(ref.kind, { metadata: { annotations: { [NEVER_READY]: "true" } } }),
      );
    case "makes its pods ready":
      return merge(templatePatch(ref.kind, { metadata: { annotations: { [NEVER_READY]: null } } }));
    case "opts out":
      return merge({ metadata: { annotations: { [OPT_IN]: null } } });
    case "opts in":
      return merge({ metadata: { annotations: { [OPT_IN]: "true" } } });
  }
}
