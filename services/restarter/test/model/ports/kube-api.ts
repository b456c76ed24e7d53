import { KubeError } from "@rollcast/kube/client";
import { dig } from "@rollcast/kube/object";
import type { KubeClient, KubeRequest } from "@rollcast/kube/client";
import { MERGE_PATCH } from "@rollcast/kube/patch";
import type { PatchOperation } from "@rollcast/kube/patch";
import { StatusError } from "../cluster/object-store.ts";
import type { KubeObject, ObjectStore, Ref } from "../cluster/object-store.ts";
import { KINDS } from "../cluster/kinds.ts";
import type { Draft } from "../cluster/object.ts";
import type { CallKind, Gate } from "./gate.ts";
import { createWatchBody } from "./watch-body.ts";
import type { WatchBody } from "./watch-body.ts";

/** The API server as one process reaches it. */
export type KubeApi = {
  client(gate: Gate): KubeClient;
  /** Delivers what the open watches wait for; whether there was anything. */
  deliver(): boolean;
  /** Shows the open watches that nothing is missing. */
  bookmark(): void;
  /** Ends the open watches; `expired`: the version they would resume from is no longer known. */
  breakWatches(expired: boolean): void;
};

/** Which resources a group has. */
const GROUP = /^\/apis\/([^/]+)\/[^/]+$/;
const PATH =
  /^\/apis?\/(?:[^/]+\/)?v[^/]+(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+)(\/status)?)?$/;

/** A namespace itself; none ever goes. */
const NAMESPACE = /^\/api\/v1\/namespaces\/([^/]+)$/;

type Target = {
  readonly kind: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: "status";
};

function targetOf(path: string): Target {
  const [, namespace, plural, name, status] = PATH.exec(path) ?? [];
  const kind = Object.entries(KINDS).find(([, { resource }]) => resource === plural)?.[0];
  if (kind === undefined) throw new Error(`the model does not serve ${path}`);
  return {
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(status === undefined ? {} : { subresource: "status" }),
  };
}

function toKubeError(err: unknown): unknown {
  if (!(err instanceof StatusError)) return err;
  return new KubeError(err.code, err.reason, err.message);
}

function versionOf(store: ObjectStore): string {
  return String(store.events().at(-1)?.resourceVersion ?? 0);
}

/** Of a selector with `name=value` parts alone. */
function isSelected({ metadata }: KubeObject, selector: string | undefined): boolean {
  if (selector === undefined) return true;
  return selector.split(",").every((part) => {
    const [name = "", value] = part.split("=");
    return metadata.labels?.[name] === value;
  });
}

/** Of a selector of one name, or with parts as `status.phase!=Failed`. */
function hasFields(object: KubeObject, selector: string | undefined): boolean {
  if (selector === undefined) return true;
  return selector.split(",").every((part) => {
    const [path = "", value] = part.split(/!?=/);
    return (dig(object, ...path.split(".")) === value) !== part.includes("!=");
  });
}

type Query = { readonly labelSelector?: string; readonly fieldSelector?: string };

function listOf(store: ObjectStore, { kind, namespace }: Target, query: Query): object {
  const items = store
    .list(kind, namespace)
    .filter((object) => isSelected(object, query.labelSelector))
    .filter((object) => hasFields(object, query.fieldSelector));
  return { kind: `${kind}List`, metadata: { resourceVersion: versionOf(store) }, items };
}

type DeleteOptions = {
  readonly propagationPolicy?: "Background";
  readonly preconditions?: { readonly uid?: string };
};

function remove(store: ObjectStore, ref: Ref, options: DeleteOptions | undefined) {
  const { propagationPolicy: propagation, preconditions } = options ?? {};
  const uid = preconditions?.uid;
  return store.remove(ref, {
    ...(propagation === undefined ? {} : { propagation }),
    ...(uid === undefined ? {} : { uid }),
  });
}

function resourcesOf(group: string): object {
  const resources = Object.values(KINDS)
    .filter((kind) => kind.group === group)
    .map(({ resource }) => ({ name: resource }));
  return { kind: "APIResourceList", resources };
}

function perform(store: ObjectStore, request: KubeRequest): unknown {
  const [, group] = GROUP.exec(request.path) ?? [];
  if (group !== undefined) return resourcesOf(group);
  const [, namespace] = NAMESPACE.exec(request.path) ?? [];
  if (namespace !== undefined) return { kind: "Namespace", metadata: { name: namespace } };
  const target = targetOf(request.path);
  const manager = request.query?.fieldManager ?? "unknown";
  if (request.method === "POST") return store.create(request.body as Draft, { manager });
  if (target.name === undefined) return listOf(store, target, request.query ?? {});
  const ref = target as Ref;
  if (request.method === "PATCH") {
    const { subresource } = target;
    const patch = request.body as readonly PatchOperation[];
    const type = request.contentType === MERGE_PATCH ? "merge" : "json";
    return store.patch(ref, patch, { type, manager, ...(subresource && { subresource }) });
  }
  if (request.method === "DELETE") return remove(store, ref, request.body as DeleteOptions) ?? {};
  const object = store.get(ref);
  if (object === undefined) throw new KubeError(404, "NotFound", `${ref.name} not found`);
  return object;
}

function kindOfCall({ method, path }: KubeRequest): CallKind {
  if (method !== "GET") return "patch";
  if (GROUP.test(path) || NAMESPACE.test(path)) return "other";
  return targetOf(path).name === undefined ? "list workloads" : "read workload";
}

function describe({ method, path }: KubeRequest): string {
  if (GROUP.test(path) || NAMESPACE.test(path)) return `${method} ${path}`;
  const { kind, name } = targetOf(path);
  return `${method} ${kind}${name === undefined ? "s" : ` ${name}`}`;
}

export type KubeApiOptions = {
  readonly store: ObjectStore;
  /** The server refused a write. */
  readonly refused: (error: KubeError) => void;
  readonly written: () => void;
};

export function createKubeApi({ store, refused, written }: KubeApiOptions): KubeApi {
  const bodies = new Set<WatchBody>();
  const request = async <T>(gate: Gate, options: KubeRequest): Promise<T> => {
    const answer = await gate.enter({
      kind: kindOfCall(options),
      what: describe(options),
      perform: () => {
        try {
          const done = perform(store, options);
          if (options.method !== "GET") written();
          return done;
        } catch (err) {
          const error = toKubeError(err);
          if (error instanceof KubeError && options.method !== "GET") refused(error);
          throw error;
        }
      },
      lost: () => new KubeError(0, "Timeout", "no answer within 15000 ms"),
    });
    const parse = options.parse ?? ((body: Buffer): unknown => JSON.parse(body.toString("utf8")));
    return parse(Buffer.from(JSON.stringify(answer))) as T;
  };
  return {
    client: (gate) => ({
      server: "https://model",
      request: (options) => request(gate, options),
      async stream(options) {
        const { kind } = targetOf(options.path);
        const since = Number(options.query?.resourceVersion ?? 0);
        const body = createWatchBody({ store, kind, since, gate, signal: options.signal });
        bodies.add(body);
        return body.chunks;
      },
      async [Symbol.asyncDispose]() {},
    }),
    deliver() {
      let some = false;
      for (const body of bodies) {
        if (body.isOver()) bodies.delete(body);
        else some = body.deliver() || some;
      }
      return some;
    },
    bookmark() {
      for (const body of bodies) body.bookmark();
    },
    breakWatches(expired) {
      for (const body of bodies) body.end(expired);
      bodies.clear();
    },
  };
}
