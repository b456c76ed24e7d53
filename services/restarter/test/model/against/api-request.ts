import type { PatchOperation } from "@rollcast/kube/patch";
import { ApiError } from "@rollcast/testkit/test-api";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { KINDS } from "../cluster/kinds.ts";
import { StatusError } from "../cluster/object-store.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import type { Draft, Fields, KubeObject, ManagedFields, Ref } from "../cluster/object.ts";

/** What somebody asks of the API server, in a namespace that is given with it. */
export type ApiRequest =
  | { readonly do: "create"; readonly object: Draft; readonly manager: string }
  | {
      readonly do: "apply";
      readonly object: Draft;
      readonly manager: string;
      readonly force?: true;
    }
  | { readonly do: "merge"; readonly ref: Ref; readonly manager: string; readonly patch: Fields }
  | {
      readonly do: "json";
      readonly ref: Ref;
      readonly manager: string;
      readonly patch: readonly PatchOperation[];
    }
  /** An update with a version that is not the present one. */
  | { readonly do: "stale update"; readonly ref: Ref; readonly manager: string }
  | {
      readonly do: "remove";
      readonly ref: Ref;
      readonly uid?: string;
      readonly propagation?: "Background";
    };

type Owned = { readonly manager: string; readonly operation: string; readonly paths: string };

/** Who owns what of the pod template, and of the metadata. */
function ownersOf(managedFields: unknown): Owned[] {
  const entries = (managedFields ?? []) as readonly ManagedFields[];
  return entries
    .filter(({ subresource = "" }) => subresource === "")
    .map(({ manager, operation, fieldsV1 }) => {
      const spec = (fieldsV1["f:spec"] ?? {}) as Fields;
      const template = (spec["f:template"] ?? {}) as Fields;
      const annotations = ((template["f:metadata"] ?? {}) as Fields)["f:annotations"] ?? {};
      const paths = [Object.keys(spec), Object.keys(annotations)].map((names) =>
        names
          .filter((name) => name !== ".")
          .toSorted()
          .join(),
      );
      return { manager, operation, paths: paths.join(" ") };
    })
    .toSorted((a, b) => (`${a.manager} ${a.operation}` < `${b.manager} ${b.operation}` ? -1 : 1));
}

/** An answer without what differs from server to server. */
function answer(object: AnyObject | KubeObject | undefined, isBuiltIn: (name: string) => boolean) {
  if (object === undefined || object.kind === "Status") return "done";
  const { generation, labels, annotations } = object.metadata;
  const owners = ownersOf(object.metadata.managedFields).map(({ paths, ...owner }) => ({
    ...owner,
    paths: paths
      .split(" ")
      .map((names) =>
        names
          .split(",")
          .filter((name) => !isBuiltIn(name))
          .join(),
      )
      .join(" "),
  }));
  const template = (object.spec as Fields).template as Fields;
  const { annotations: marks = {} } = (template.metadata ?? {}) as { annotations?: Fields };
  const uid = String(object.metadata.uid);
  const named = Object.entries(labels ?? {}).map(([name, value]) => [
    name,
    value === uid ? "uid" : value,
  ]);
  return { generation, labels: Object.fromEntries(named), annotations, marks, owners };
}

/** Defaults that only the real server writes into the entry of who creates. */
const DEFAULTED = new Set([
  "f:progressDeadlineSeconds",
  "f:revisionHistoryLimit",
  "f:strategy",
  "f:backoffLimit",
  "f:completionMode",
  "f:completions",
  "f:manualSelector",
  "f:parallelism",
  "f:podReplacementPolicy",
]);
const isDefaulted = (name: string) => DEFAULTED.has(name);

const MEDIA_TYPE = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
} as const;

function pathOf(namespace: string, { kind, name }: Ref): string {
  const { group, resource } = KINDS[kind] ?? { group: "", resource: "" };
  return `/apis/${group}/v1/namespaces/${namespace}/${resource}${name === "" ? "" : `/${name}`}`;
}

const refOfDraft = ({ kind, metadata }: Draft): Ref => ({ kind, name: metadata.name ?? "" });

async function ask(api: Api, namespace: string, request: ApiRequest): Promise<AnyObject> {
  switch (request.do) {
    case "create": {
      const path = pathOf(namespace, { ...refOfDraft(request.object), name: "" });
      return api.call({ method: "POST", path, body: request.object, manager: request.manager });
    }
    case "apply": {
      const path = `${pathOf(namespace, refOfDraft(request.object))}?force=${request.force ?? false}`;
      const contentType = "application/apply-patch+yaml";
      const { object: body, manager } = request;
      return api.call({ method: "PATCH", path, body, contentType, manager });
    }
    case "remove": {
      const { ref, uid, propagation: propagationPolicy } = request;
      const preconditions = uid === undefined ? {} : { preconditions: { uid } };
      const body = {
        ...preconditions,
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      };
      return api.call({ method: "DELETE", path: pathOf(namespace, ref), body });
    }
    case "stale update": {
      const path = pathOf(namespace, request.ref);
      const object = await api.get(path);
      const body = { ...object, metadata: { ...object.metadata, resourceVersion: "1" } };
      return api.call({ method: "PUT", path, body, manager: request.manager });
    }
    default: {
      const { ref, manager, patch: body } = request;
      const contentType = MEDIA_TYPE[request.do];
      return api.call({
        method: "PATCH",
        path: pathOf(namespace, ref),
        body,
        contentType,
        manager,
      });
    }
  }
}

function askModel(
  store: ObjectStore,
  namespace: string,
  request: ApiRequest,
): KubeObject | undefined {
  const inNamespace = (object: Draft) => ({
    ...object,
    metadata: { ...object.metadata, namespace },
  });
  switch (request.do) {
    case "create":
      return store.create(inNamespace(request.object), { manager: request.manager });
    case "apply":
      return store.apply(inNamespace(request.object), {
        manager: request.manager,
        force: request.force === true,
      });
    case "remove": {
      const { uid, propagation } = request;
      const options = {
        ...(uid === undefined ? {} : { uid }),
        ...(propagation === undefined ? {} : { propagation }),
      };
      return store.remove({ ...request.ref, namespace }, options);
    }
    case "stale update": {
      const object = store.get({ ...request.ref, namespace }) as KubeObject;
      const metadata = { ...object.metadata, resourceVersion: "0" };
      return store.update({ ...object, metadata }, { manager: request.manager });
    }
    default:
      return store.patch({ ...request.ref, namespace }, request.patch, {
        type: request.do,
        manager: request.manager,
      });
  }
}

/** The real API server's answer, or its error, as far as a client acts on it. */
export async function outcomeInCluster(
  api: Api,
  namespace: string,
  request: ApiRequest,
): Promise<unknown> {
  try {
    return { request: request.do, answer: answer(await ask(api, namespace, request), isDefaulted) };
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    const [, reason] = /"reason":"(\w+)"/.exec(err.message) ?? [];
    return { request: request.do, code: err.status, reason };
  }
}

/** The model's answer, or its error. */
export function outcomeInModel(
  store: ObjectStore,
  namespace: string,
  request: ApiRequest,
): unknown {
  try {
    return {
      request: request.do,
      answer: answer(askModel(store, namespace, request), isDefaulted),
    };
  } catch (err) {
    if (!(err instanceof StatusError)) throw err;
    return { request: request.do, code: err.code, reason: err.reason };
  }
}
