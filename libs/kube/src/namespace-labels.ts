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
  const known = new Set<string>();
  let unseen = new Set<string>();
  const drop = (name: string) => {
    known.delete(name);
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
        unseen = new Set(known);
      },
      upsert({ name, labels }) {
        unseen.delete(name);
        known.add(name);
        onLabels(name, labels);
      },
      removed: ({ name }) => drop(name),
      listed() {
        for (const name of unseen) drop(name);
      },
    },
  });
}
