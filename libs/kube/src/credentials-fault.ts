import { systemReason } from "@rollcast/runtime/files/file-fault";
import { referencedFiles } from "./kubeconfig-files.ts";
import type { KubeconfigTarget } from "./kubeconfig.ts";
import { dig } from "./object.ts";
import { referenceFault } from "./read-kubeconfig.ts";

/**
 * Why the library could not make credentials of a kubeconfig. What a plugin wrote is not quoted: it
 * may be a secret.
 */
export function credentialsFault(target: KubeconfigTarget, err: unknown): string {
  const file = referencedFiles(target).find(({ path }) => path === dig(err, "path"));
  if (file !== undefined) return referenceFault(file, err);
  const { user, cluster } = target;
  const command = dig(user?.fields.exec, "command");
  const whose = `user "${user?.name ?? ""}" in the kubeconfig ${user?.file ?? cluster.file}`;
  if (typeof command !== "string") return `the credentials of ${whose} cannot be read`;
  const plugin = `the credential plugin ${command} of ${whose}`;
  const syscall = dig(err, "syscall");
  return typeof syscall === "string" && syscall.startsWith("spawn")
    ? `${plugin} cannot be run: ${systemReason(err)}`
    : `${plugin} failed`;
}
