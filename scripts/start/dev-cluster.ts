// Starts a control plane for developers, so that integration tests need not start one each time.
// Run the second command in another terminal:
//
//     ROLLCAST_TEST_CLUSTER=.cache/dev-cluster.json node scripts/start/dev-cluster.ts
//     ROLLCAST_TEST_CLUSTER=.cache/dev-cluster.json pnpm run test:integration
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { startCluster } from "@rollcast/testkit/cluster";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";

const path = process.env.ROLLCAST_TEST_CLUSTER ?? "";
if (path === "") throw new Error("ROLLCAST_TEST_CLUSTER must name the file to write");
const file = resolve(path);

const stopped = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => stopped.resolve());
}

await using cluster = await startCluster();
const { url, dir, kubeconfig, caFile } = cluster;
const access: ClusterAccess = { url, dir, kubeconfig, caFile };
await mkdir(dirname(file), { recursive: true });
await writeFile(file, JSON.stringify(access, null, 2));
process.stdout.write(
  `${url}, access in ${file}\nkubectl --kubeconfig ${kubeconfig}\nCtrl-C ends it\n`,
);
await stopped.promise;
await rm(file, { force: true });
