import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { join } from "node:path";
import type { Api } from "./test-api.ts";
import type { ClusterAccess } from "./write-kubeconfig.ts";

const API_VERSION = "admissionregistration.k8s.io/v1";
const CONFIGURATIONS = `/apis/${API_VERSION}/validatingwebhookconfigurations`;

/** A request that the API server asks about, as far as tests look at it. */
export type AdmissionRequest = {
  readonly uid: string;
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly resource: { readonly resource: string };
  /** `status`, or none. */
  readonly subResource?: string;
  readonly namespace: string;
  readonly name: string;
};

/** A `Status` with which a webhook denies a request. */
export type AdmissionDenial = {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
};

export type AdmissionWebhookOptions = {
  /** Of the webhook, as the API server names it: a domain. */
  readonly name: string;
  /** The namespace whose workloads and Jobs it is asked about. */
  readonly namespace: string;
  /** In CEL: which requests. */
  readonly condition: string;
  /** How long the API server waits for it; default 10. */
  readonly timeoutSeconds?: number;
  /** Undefined allows the request. A webhook that rejects answers 500. */
  readonly review: (request: AdmissionRequest) => Promise<AdmissionDenial | undefined>;
};

/**
 * A validating webhook of a cluster on this machine, until disposal. It serves with the API
 * server's certificate, which is for 127.0.0.1. It takes a moment to be in force.
 */
export async function startAdmissionWebhook(
  { api, dir, caFile }: Pick<ClusterAccess, "dir" | "caFile"> & { readonly api: Api },
  options: AdmissionWebhookOptions,
): Promise<AsyncDisposable> {
  const { name, namespace, condition, timeoutSeconds = 10, review } = options;
  await using undo = new AsyncDisposableStack();
  const cert = await readFile(caFile);
  const key = await readFile(join(dir, "certs", "apiserver.key"));
  const server = createServer({ cert, key }, async (req, res) => {
    try {
      const { request } = (await json(req)) as { request: AdmissionRequest };
      const status = await review(request);
      const response = { uid: request.uid, allowed: status === undefined, status };
      const answer = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
      res.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    } catch (err) {
      res.writeHead(500).end(String(err));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  undo.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const metadata = { name: `${namespace}-${name}` };
  await api.create(CONFIGURATIONS, {
    apiVersion: API_VERSION,
    kind: "ValidatingWebhookConfiguration",
    metadata,
    webhooks: [
      {
        name,
        clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: cert.toString("base64") },
        rules: [
          {
            apiGroups: ["apps", "batch"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE", "DELETE"],
            resources: ["deployments", "daemonsets", "cronjobs", "cronjobs/status", "jobs"],
          },
        ],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        matchConditions: [{ name: "condition", expression: condition }],
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        timeoutSeconds,
        failurePolicy: "Fail",
      },
    ],
  });
  undo.defer(() => api.remove(`${CONFIGURATIONS}/${metadata.name}`));
  return undo.move();
}
