import { Option } from "commander";
import type { Command } from "commander";
import { z } from "zod";
import { forwardPort } from "@rollcast/kube/port-forward";
import type { KubeClient } from "@rollcast/kube/client";
import { EXIT, CliError } from "../cli-error.ts";
import { toKubeCliError, openKube, withKube } from "./kube.ts";
import type { KubeOptions } from "./kube.ts";

/** Where Rollcast is installed, for users who name no server. */
export type InstallationOptions = KubeOptions & { readonly rollcastNamespace: string };
/** Which service's API a command calls. */
export type ApiService = "restarter" | "notifier";

const DEFAULT_PORT: Readonly<Record<ApiService, number>> = { restarter: 8081, notifier: 8082 };
/** The Secret with the token, and its key. */
const TOKEN_SECRET = "rollcast-api";
const TOKEN_KEY = "token";

const Pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
      spec: z.object({
        containers: z.array(
          z.object({
            ports: z
              .array(z.object({ name: z.string().optional(), containerPort: z.number() }))
              .optional(),
          }),
        ),
      }),
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional(),
      }),
    }),
  ),
});
const Secret = z.object({ data: z.record(z.string(), z.string()).optional() });

/** Adds the options that say where Rollcast is installed. */
export function withCluster(command: Command): Command {
  return withKube(command).addOption(
    new Option("--rollcast-namespace <name>", "where Rollcast is installed, without --server")
      .env("ROLLCAST_NAMESPACE")
      .default("rollcast"),
  );
}

/**
 * Finds a ready pod of the service or of the all-in-one, where the port of each API has its name.
 */
async function findPod(kube: KubeClient, namespace: string, service: ApiService) {
  const selector = `app.kubernetes.io/name=rollcast,app.kubernetes.io/component in (${service},all-in-one)`;
  const answer = await kube.request<unknown>({
    method: "GET",
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
    query: { labelSelector: selector, limit: "50" },
  });
  const ready = Pods.parse(answer).items.find(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true,
  );
  if (ready === undefined) {
    const hint = "name the API by --server, or where Rollcast is by --rollcast-namespace";
    throw new CliError(EXIT.unreachable, `no ${service} is ready in ${namespace}`, hint);
  }
  const ports = ready.spec.containers.flatMap((container) => container.ports ?? []);
  const port = ports.find(({ name }) => name === "api" || name === `${service}-api`);
  return { pod: ready.metadata.name, port: port?.containerPort ?? DEFAULT_PORT[service] };
}

async function readToken(kube: KubeClient, namespace: string): Promise<string> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${TOKEN_SECRET}`;
  const { data } = Secret.parse(await kube.request<unknown>({ method: "GET", path }));
  const token = Buffer.from(data?.[TOKEN_KEY] ?? "", "base64")
    .toString("utf8")
    .trim();
  if (token !== "") return token;
  const hint = "give the token by --token-file, ROLLCAST_TOKEN_FILE or ROLLCAST_TOKEN";
  throw new CliError(EXIT.usage, `Secret ${TOKEN_SECRET} has no key "${TOKEN_KEY}"`, hint);
}

/** An API behind a forwarded port; `token` if it was read from the cluster. */
export type FoundApi = AsyncDisposable & { readonly server: string; readonly token?: string };

/**
 * Finds a service's API through the kubeconfig: forwards a port to one of its ready pods, and reads
 * the token from the Secret `rollcast-api` unless it is given. Throws {@link CliError}.
 */
export async function findApi(
  options: InstallationOptions,
  service: ApiService,
  knowsToken: boolean,
): Promise<FoundApi> {
  const { rollcastNamespace: namespace } = options;
  try {
    await using kube = await openKube(options);
    const { pod, port } = await findPod(kube, namespace, service);
    const token = knowsToken ? undefined : await readToken(kube, namespace);
    const forward = await forwardPort({ ...options, namespace, pod, port }, () => undefined);
    return {
      server: `http://127.0.0.1:${forward.port}`,
      token,
      [Symbol.asyncDispose]: () => forward[Symbol.asyncDispose](),
    };
  } catch (err) {
    throw toKubeCliError(err);
  }
}
