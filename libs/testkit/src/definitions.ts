import { readFile } from "node:fs/promises";
import { ApiError } from "./test-api.ts";
import type { AnyObject, Api } from "./test-api.ts";
import { waitFor } from "./wait.ts";
import { parse } from "yaml";
import { pathOf } from "./shapes.ts";

/** A kind that a test adds to the cluster. */
export type Definition = {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
};

export const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** A definition of this name that accepts any object, with a status subresource. */
function anyObject({ group, version, kind, plural }: Definition): AnyObject {
  const schema = {
    openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        { name: version, served: true, storage: true, subresources: { status: {} }, schema },
      ],
    },
  };
}

async function add(api: Api, object: AnyObject, path: string): Promise<void> {
  await api.create(DEFINITIONS, object).catch((err: unknown) => {
    if (!(err instanceof ApiError) || err.status !== 409) throw err;
  });
  await waitFor(() => api.get(path), { message: `${path} to be served`, timeout: 30_000 });
}

/** Makes the API server serve a kind, if it does not yet. */
export async function define(api: Api, definition: Definition): Promise<void> {
  const { group, version, plural } = definition;
  await add(api, anyObject(definition), `/apis/${group}/${version}/${plural}`);
}

/** Makes the API server serve Argo Rollouts by their real definition. */
export async function defineRollouts(api: Api): Promise<void> {
  const file = new URL("fixtures/argo-rollout-crd.yaml", import.meta.url);
  const object = parse(await readFile(file, "utf8")) as AnyObject;
  await add(api, object, "/apis/argoproj.io/v1alpha1/rollouts");
}

/** Acts as the controller of an object: writes its status. */
export async function setStatus(api: Api, path: string, status: object): Promise<void> {
  await api.patch(`${path}/status`, { status });
}

export function pathIn(namespace: string, definition: Definition, name?: string): string {
  const { group, version, plural } = definition;
  return pathOf(`${group}/${version}`, namespace, plural, name);
}
