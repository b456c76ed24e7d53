import type { KubeClient } from "@rollcast/kube/client";
import { KubeError } from "@rollcast/kube/client";
import { z } from "zod";
import { findReloaders, toKubeCliError } from "../clients/kube.ts";
import { ok, todo } from "./finding.ts";
import type { Finding } from "./finding.ts";

const Version = z.object({ major: z.string(), minor: z.string(), gitVersion: z.string() });
const MIN_MINOR = 31;

/** Rights of the services together, as `<group>/<resource>` and verbs. */
const RIGHTS = [
  { group: "", resource: "configmaps", verbs: ["list", "watch"], who: "watcher" },
  { group: "", resource: "secrets", verbs: ["list", "watch"], who: "watcher" },
  { group: "apps", resource: "deployments", verbs: ["list", "watch", "patch"], who: "restarter" },
  { group: "apps", resource: "statefulsets", verbs: ["list", "watch", "patch"], who: "restarter" },
  { group: "apps", resource: "daemonsets", verbs: ["list", "watch", "patch"], who: "restarter" },
  { group: "events.k8s.io", resource: "events", verbs: ["create", "list"], who: "restarter" },
] as const;

/** The API server: reached, and new enough. */
export async function checkKube(kube: KubeClient): Promise<Finding[]> {
  try {
    const version = Version.parse(await kube.request<unknown>({ method: "GET", path: "/version" }));
    const minor = Number.parseInt(version.minor, 10);
    if (Number(version.major) === 1 && minor < MIN_MINOR) {
      return [todo("cluster", version.gitVersion, `Rollcast is for 1.${MIN_MINOR} and newer`)];
    }
    return [ok("cluster", `reached, Kubernetes ${version.gitVersion}`)];
  } catch (err) {
    if (!(err instanceof KubeError)) throw err;
    return [todo("cluster", err.message, "check --kubeconfig and --context")];
  }
}

const Review = z.object({ status: z.object({ allowed: z.boolean() }) });

async function may(kube: KubeClient, group: string, resource: string, verb: string) {
  const answer = await kube.request<unknown>({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { group, resource, verb } },
    },
  });
  return Review.parse(answer).status.allowed;
}

/**
 * Checks whether the kubeconfig's user has the permissions of the services. Run as their service
 * accounts, it checks these.
 */
export async function checkRights(kube: KubeClient): Promise<Finding[]> {
  return Promise.all(
    RIGHTS.map(async ({ group, resource, verbs, who }) => {
      const allowed = await Promise.all(
        verbs.map((verb) => may(kube, group, resource, verb)),
      ).catch((err: unknown) => {
        throw toKubeCliError(err);
      });
      const lacking = verbs.filter((_, i) => allowed[i] !== true);
      if (lacking.length === 0) return ok("rights", `may ${verbs.join(", ")} ${resource}`);
      const hint = `the ${who} needs it; nothing is to be done where you are not the ${who}`;
      return todo("rights", `may not ${lacking.join(", ")} ${resource}`, hint);
    }),
  );
}

/** Reloader and Rollcast on the same workloads would roll them twice. */
export async function checkReloader(kube: KubeClient): Promise<Finding[]> {
  const reloaders = await findReloaders(kube).catch((err: unknown) => {
    throw toKubeCliError(err);
  });
  const running = reloaders.filter(({ spec }) => spec.replicas !== 0);
  if (running.length === 0) return [ok("reloader", "none is installed, or scaled to 0")];
  return running.map(({ metadata }) =>
    todo(
      "reloader",
      `${metadata.namespace ?? ""}/${metadata.name} is running`,
      "scale it to 0, or see docs/migrate.md for running both",
    ),
  );
}
