import { parseAllDocuments } from "yaml";
import { z } from "zod";
import type { ReloaderOptions } from "./flags.ts";

const Env = z.object({ name: z.string(), value: z.string().optional() });
const Container = z.object({
  name: z.string(),
  image: z.string().default(""),
  args: z.array(z.string()).default([]),
  command: z.array(z.string()).default([]),
  env: z.array(Env).default([]),
});

/** The fields of a Deployment that say how Reloader is started. */
export const ReloaderDeployment = z.object({
  kind: z.literal("Deployment").optional(),
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  spec: z.object({
    replicas: z.number().optional(),
    template: z.object({ spec: z.object({ containers: z.array(Container) }) }),
  }),
});
export type ReloaderDeployment = z.infer<typeof ReloaderDeployment>;

/** The image's name without registry, tag and digest. */
function imageName(image: string): string {
  return (
    image
      .replace(/@.*$/, "")
      .replace(/:[^/]*$/, "")
      .split("/")
      .at(-1) ?? ""
  );
}

function reloaderOf(deployment: ReloaderDeployment) {
  return deployment.spec.template.spec.containers.find(
    ({ image }) => imageName(image) === "reloader",
  );
}

/** Whether a Deployment runs Reloader. */
export function isReloader(deployment: ReloaderDeployment): boolean {
  return reloaderOf(deployment) !== undefined;
}

/**
 * The flags and environment of Reloader. Accepts `--flag=value`, `--flag value` and a bare
 * `--flag`, as cobra does.
 */
export function reloaderOptions(deployment: ReloaderDeployment): ReloaderOptions {
  const container = reloaderOf(deployment);
  const words = [...(container?.command ?? []), ...(container?.args ?? [])];
  const flags = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const [, name, , value] = /^--?([a-zA-Z][\w-]*)(=(.*))?$/s.exec(words[i] ?? "") ?? [];
    if (name === undefined) continue;
    const next = words[i + 1];
    const takesNext = value === undefined && next !== undefined && !next.startsWith("-");
    const flag = name.toLowerCase();
    const text = value ?? (takesNext ? next : "true");
    // A list flag may be given several times.
    const before = flags.get(flag);
    flags.set(flag, before === undefined ? text : `${before},${text}`);
    if (takesNext) i++;
  }
  const env = new Map(
    (container?.env ?? []).flatMap(({ name, value }) =>
      value === undefined ? [] : [[name, value] as const],
    ),
  );
  return { flags, env };
}

/** Finds the Deployments of Reloader in a manifest, which may contain other objects. */
export function findInManifest(text: string): ReloaderDeployment[] {
  return parseAllDocuments(text).flatMap((document) => {
    const raw: unknown = "toJS" in document ? document.toJS() : undefined;
    const items = z.object({ items: z.array(z.unknown()) }).safeParse(raw).data?.items ?? [raw];
    return items.flatMap((item) => {
      const parsed = ReloaderDeployment.safeParse(item);
      return parsed.success && isReloader(parsed.data) ? [parsed.data] : [];
    });
  });
}
