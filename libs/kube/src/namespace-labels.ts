import type { Logger } from "@rollcast/runtime/logger";
import type { KubeClient } from "./client.ts";
import type { KubeObject } from "./object.ts";
import { startReflector } from "./reflector.ts";
import type { Reflector } from "./reflector.ts";

type Labelled = { readonly name: string; readonly labels: Readonly<Record<string, string>> };

/**
 * Follows the labels of all namespaces: `onLabels` is called with those of each, and with undefined
 * where one is gone. Only metadata is read.
 */
export function watchNamespaceLabels(options: {
  client: KubeClient;
  logger: Logger;
  signal: AbortSignal;
  onLabels: (name: string, labels: Readonly<Record<string, string>> | undefined) => void;
}): Reflector {
  const { onLabels } = options;
  const existing = new Set<string>();
  let unlisted = new Set<string>();
  const drop = (name: string) => {
    existing.delete(name);
    onLabels(name, undefined);
  };
  return startReflector<Labelled>({
    ...options,
    resource: { group: "", version: "v1", plural: "namespaces", metadataOnly: true },
    transform: ({ metadata }: KubeObject) => ({
      name: metadata.name,
      labels: { ...metadata.labels },
    }),
    handler: {
      listStarted() {
        unlisted = new Set(existing);
      },
      upsert({ name, labels }) {
        unlisted.delete(name);
        existing.add(name);
        onLabels(name, labels);
      },
      removed: ({ name }) => drop(name),
      listed() {
        for (const name of unlisted) drop(name);
      },
    },
  });
}
