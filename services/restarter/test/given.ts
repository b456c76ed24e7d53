import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { deployment } from "@rollcast/kube/workloads/deployment";
import type { KubeObject } from "@rollcast/kube/object";
import { Reload } from "@rollcast/shared/config/reload";
import { createRules } from "../src/model/rules.ts";
import type { Rules } from "../src/model/rules.ts";
import { projectWorkload } from "../src/index/project-workload.ts";
import type { Workload } from "../src/model/workload.ts";

/** The rules for the configuration `reload: {...}`. */
export function rulesOf(reload: object = {}): Rules {
  return createRules(Reload.parse(reload), [deployment, cronJob]);
}

export type Given = {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly templateAnnotations?: Readonly<Record<string, string>>;
  /**
   * The pod template's spec; by default one container that uses ConfigMap `cfg`, Secret `sec` and
   * SecretProviderClass `spc` whole.
   */
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly metadata?: Partial<KubeObject["metadata"]>;
  readonly rules?: Rules;
};

const SPEC = {
  containers: [
    {
      name: "web",
      image: "web:1",
      envFrom: [{ configMapRef: { name: "cfg" } }, { secretRef: { name: "sec" } }],
    },
  ],
  volumes: [
    {
      name: "v",
      csi: { driver: "secrets-store.csi.k8s.io", volumeAttributes: { secretProviderClass: "spc" } },
    },
  ],
};

/** A Deployment `shop/web` as the index keeps it. */
export function givenWorkload(given: Given = {}): Workload {
  const object: KubeObject = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "web",
      namespace: "shop",
      uid: "uid-1",
      resourceVersion: "100",
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
      annotations: given.annotations ?? {},
      ...given.metadata,
    },
    spec: {
      template: {
        metadata: { annotations: given.templateAnnotations ?? {} },
        spec: given.spec ?? SPEC,
      },
    },
  };
  return projectWorkload(deployment, object, given.rules ?? rulesOf());
}
