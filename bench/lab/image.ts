import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "@rollcast/testkit/cluster";
import { tokenOf } from "@rollcast/testkit/users";
import { assembleImage, imageNodeOptions } from "@rollcast/testkit/image";
import type { ServiceName, ServiceOptions } from "@rollcast/testkit/services";

/** Where the kubelet mounts a service account; of the mount namespace of one process. */
const ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";

export type ImageOptions = {
  readonly cluster: Cluster;
  readonly user: Parameters<typeof tokenOf>[0];
  /** Memory limit of the container in MiB. */
  readonly limit: number;
  /** Options of Node beside the image's. */
  readonly more?: readonly string[];
};

/**
 * How a service is started as in a pod: from what its image holds, with the image's options of Node
 * and a service account.
 */
export type Images = AsyncDisposable & {
  start(
    name: ServiceName,
    options: ImageOptions,
  ): Promise<Pick<ServiceOptions, "root" | "through" | "nodeOptions" | "env">>;
};

/** Node's options in the image, with the share of the container's memory as a number of MiB. */
export async function nodeOptionsOf(limit: number): Promise<string[]> {
  return (await imageNodeOptions()).map((option) =>
    option.replace(
      /--max-old-space-size-percentage=(\d+)/,
      (_, share) => `--max-old-space-size=${Math.floor((limit * Number(share)) / 100)}`,
    ),
  );
}

/**
 * Assembles what the images of the services hold, from this checkout or another. Linux, as root:
 * each process gets a mount namespace of its own.
 */
export async function openImages(names: readonly ServiceName[], root?: string): Promise<Images> {
  const dir = await mkdtemp(join(tmpdir(), "rollcast-images-"));
  const from = root === undefined ? {} : { root };
  for (const name of names) await assembleImage(name, join(dir, name), from);
  return {
    async start(name, { cluster, user, limit, more = [] }) {
      const account = await mkdtemp(join(dir, "account-"));
      await writeFile(join(account, "token"), tokenOf(user));
      await copyFile(cluster.caFile, join(account, "ca.crt"));
      const mount = `mount -t tmpfs none /run && mkdir -p ${ACCOUNT} && cp ${account}/* ${ACCOUNT}/`;
      const { hostname, port } = new URL(cluster.url);
      return {
        root: join(dir, name),
        through: ["unshare", "--mount", "sh", "-c", `${mount} && exec "$0" "$@"`],
        nodeOptions: [...(await nodeOptionsOf(limit)), ...more],
        env: {
          KUBERNETES_SERVICE_HOST: hostname,
          KUBERNETES_SERVICE_PORT: port,
          NODE_ENV: "production",
        },
      };
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
