import { MARKER } from "../../../src/model/marker.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import type { Draft, Fields, KubeObject } from "../cluster/object.ts";
import type { WorldConfig } from "../world/config.ts";
import type { Edit } from "./act.ts";
import { WEB, manifest } from "./objects.ts";

const OWNER = { manager: "owner" } as const;
const OPT_IN = "rollcast.dev/auto";
/** `/spec/template/metadata/annotations/rollcast.dev~1config` */
const MARKER_PATH = `/spec/template/metadata/annotations/${MARKER.replace("/", "~1")}`;

type Template = { metadata?: { annotations?: Readonly<Record<string, string>> } };

export function markerOf(object: KubeObject): string | undefined {
  const template = object.spec?.template as Template | undefined;
  return template?.metadata?.annotations?.[MARKER];
}

function merge(store: ObjectStore, patch: Fields): void {
  store.patch(WEB, patch, { type: "merge", ...OWNER });
}

/** The last marker that the Deployment had before the one it has now. */
function markerBefore(store: ObjectStore, now: string | undefined): string | undefined {
  const markers = store
    .events()
    .filter(({ object }) => object.kind === WEB.kind)
    .map(({ object }) => markerOf(object));
  return markers.findLast((marker) => marker !== undefined && marker !== now);
}

function make(store: ObjectStore, config: WorldConfig): void {
  if (store.get(WEB) === undefined) store.create(manifest(config), OWNER);
}

function replaceWith(store: ObjectStore, object: Draft): void {
  store.update(object, OWNER);
}

/** The Deployment's owner changes it; nothing happens where it is not there. */
export function applyEdit(store: ObjectStore, edit: Edit, config: WorldConfig): void {
  const object = store.get(WEB);
  if (edit === "deletes it and makes it again") {
    if (object !== undefined) store.remove(WEB);
    return make(store, config);
  }
  if (object === undefined)
    return edit === "applies the manifest" ? make(store, config) : undefined;
  switch (edit) {
    case "edits the template": {
      const edited = String(object.metadata.generation ?? 0);
      return merge(store, { spec: { template: { metadata: { annotations: { edited } } } } });
    }
    case "edits a label":
      return merge(store, { metadata: { labels: { edited: object.metadata.resourceVersion } } });
    case "removes the marker":
      if (markerOf(object) === undefined) return;
      store.patch(WEB, [{ op: "remove", path: MARKER_PATH }], { type: "json", ...OWNER });
      return;
    case "puts the marker before back": {
      const marker = markerBefore(store, markerOf(object));
      if (marker === undefined || markerOf(object) === undefined) return;
      const value = [{ op: "replace" as const, path: MARKER_PATH, value: marker }];
      store.patch(WEB, value, { type: "json", ...OWNER });
      return;
    }
    case "replaces it with the manifest":
      return replaceWith(store, manifest(config));
    case "applies the manifest":
      store.apply(manifest(config), { manager: "owner", force: true });
      return;
    case "pauses it":
      return merge(store, { spec: { paused: true } });
    case "resumes it":
      return merge(store, { spec: { paused: null } });
    case "deletes it":
      store.remove(WEB);
      return;
    case "opts out":
      return merge(store, { metadata: { annotations: { [OPT_IN]: null } } });
    case "opts in":
      return merge(store, { metadata: { annotations: { [OPT_IN]: "true" } } });
  }
}
