import { parseArgs } from "node:util";

export type Options = {
  /** End with the demo's result. */
  readonly once: boolean;
  /** Apply the demo; always on the local control plane. */
  readonly demo: boolean;
  /** The user's own cluster; undefined: a local control plane. */
  readonly cluster?: { readonly context?: string; readonly kubeconfig?: string };
};

export const USAGE = `usage: npm start -- [OPTIONS]

Without options: a local control plane with a demo.
  --once              end after the demo, with 0 where it succeeded
  --context NAME      use this context of your kubeconfig: watches the cluster and rolls what is annotated there
  --kubeconfig FILE   use this kubeconfig, its current context unless --context names one
  --demo              with --context or --kubeconfig: apply the demo there too
`;

/** Throws if the arguments are invalid. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      once: { type: "boolean", default: false },
      demo: { type: "boolean", default: false },
      context: { type: "string" },
      kubeconfig: { type: "string" },
    },
  });
  const { once, demo, context, kubeconfig } = values;
  const own = context !== undefined || kubeconfig !== undefined;
  if (own && once && !demo) throw new Error("--once ends with the demo: add --demo");
  if (!own) return { once, demo: true };
  return {
    once,
    demo,
    cluster: {
      context,
      kubeconfig,
    },
  };
}
