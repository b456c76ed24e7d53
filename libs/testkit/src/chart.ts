import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "./binaries.ts";
import { renderChart } from "./helm.ts";

/**
 * What the repository keeps of the chart's output; `pnpm render` renews it, a test says where it is
 * out of date.
 */
const EXAMPLES = join(repositoryRoot(), "test", "fixtures", "chart");

/** A file that is rendered, and how. */
export type RenderedFile = { readonly file: string; readonly render: () => Promise<string> };

/** Path of an example's values. */
export function exampleValues(name: string): string {
  return join(EXAMPLES, `${name}.values.yaml`);
}

async function renderInstall(): Promise<string> {
  const head =
    "# Rollcast, with NATS and Redis, for one `kubectl apply -f`.\n" +
    "# Rendered from deploy/charts/rollcast by `pnpm render`.\n";
  return head + (await renderChart({ set: ["createNamespace=true"] }));
}

/** deploy/install.yaml, and each example's NAME.golden.yaml of its NAME.values.yaml. */
export async function renderedFiles(): Promise<RenderedFile[]> {
  const names = (await readdir(EXAMPLES))
    .filter((file) => file.endsWith(".values.yaml"))
    .map((file) => file.replace(".values.yaml", ""));
  return [
    { file: join(repositoryRoot(), "deploy", "install.yaml"), render: renderInstall },
    ...names.toSorted().map((name) => ({
      file: join(EXAMPLES, `${name}.golden.yaml`),
      render: () => renderChart({ values: [exampleValues(name)] }),
    })),
  ];
}
