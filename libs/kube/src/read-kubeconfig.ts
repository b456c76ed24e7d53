import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { Env } from "@rollcast/runtime/config/load";
import { yamlFault } from "@rollcast/runtime/config/yaml-fault";
import { ConfigError, toError } from "@rollcast/shared/errors";
import { denialOf, fileFault } from "@rollcast/runtime/files/file-fault";
import { parseDocument } from "yaml";
import { referencedFiles } from "./kubeconfig-files.ts";
import type { ReferencedFile } from "./kubeconfig-files.ts";
import { selectTarget, titleOf } from "./kubeconfig.ts";
import type { KubeconfigFile, KubeconfigTarget } from "./kubeconfig.ts";

/** Which kubeconfig, and which context of it. */
export type KubeconfigOptions = {
  /** Path of a kubeconfig; else `KUBECONFIG`, which may name several, else `~/.kube/config`. */
  readonly kubeconfig?: string;
  /** Name of a context in it; else its current one. */
  readonly context?: string;
};

function codeOf(err: unknown): unknown {
  return err instanceof Error && "code" in err ? err.code : undefined;
}

/** What to do about a kubeconfig that cannot be read. */
function cureOf(err: unknown, path: string): string {
  const denial = denialOf(err, path);
  if (denial !== undefined && denial.owner.startsWith("0:")) {
    return ": copy it to a file of your own and name that";
  }
  if (denial !== undefined) {
    const { owner, user } = denial;
    return `: with docker compose set ROLLCAST_USER=${owner} (the owner's id -u and id -g), so that the containers run as its owner; elsewhere let ${user} read it`;
  }
  if (codeOf(err) !== "EISDIR") return "";
  return ": name the file; a container engine makes a folder where a file to be mounted is missing";
}

/** What the YAML in `text` says; undefined where it says nothing. Throws {@link ConfigError}. */
function parse(text: string, path: string): unknown {
  // Kubeconfigs may merge mappings (`<<: *base`), as kubectl's parser does.
  const doc = parseDocument(text, { merge: true });
  const [first] = doc.errors;
  if (first !== undefined) {
    throw new ConfigError(`the kubeconfig ${path} is not valid YAML: ${yamlFault(first)}`);
  }
  let content: unknown;
  try {
    content = doc.toJS();
  } catch (err) {
    throw new ConfigError(`the kubeconfig ${path} is not valid YAML: ${yamlFault(toError(err))}`);
  }
  if (content === null || content === undefined) return undefined;
  if (typeof content === "object" && !Array.isArray(content)) return content;
  throw new ConfigError(
    `the kubeconfig ${path} must be a mapping with clusters, users and contexts`,
  );
}

function readFile(path: string): KubeconfigFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (err) {
    if (codeOf(err) === "ENOENT") return { path, content: undefined };
    const fault = `${fileFault(err, path)}${cureOf(err, path)}`;
    throw new ConfigError(`the kubeconfig ${path} cannot be read: ${fault}`, { cause: err });
  }
  return { path, content: parse(text, path) ?? {} };
}

/** Where kubeconfigs are, and what says so. */
function pathsOf({ kubeconfig }: KubeconfigOptions, env: Env): { paths: string[]; why: string } {
  if (kubeconfig !== undefined) return { paths: [kubeconfig], why: "" };
  const named = env.KUBECONFIG ?? "";
  const paths = named.split(delimiter).filter((path) => path !== "");
  if (paths.length > 0) return { paths, why: " (KUBECONFIG)" };
  return { paths: [join(homedir(), ".kube", "config")], why: " (KUBECONFIG names none)" };
}

/**
 * Reads the kubeconfig that the options or the environment name, but none of the files that it
 * refers to. Throws one {@link ConfigError} that names every file that cannot be read and why, else
 * what is missing in them; their content is not quoted. Of several files some may be missing, as
 * for kubectl.
 */
export function readKubeconfig(options: KubeconfigOptions, env: Env): KubeconfigTarget {
  const { paths, why } = pathsOf(options, env);
  const files: KubeconfigFile[] = [];
  const faults: Error[] = [];
  for (const path of paths) {
    try {
      files.push(readFile(path));
    } catch (err) {
      faults.push(toError(err));
    }
  }
  const [first] = faults;
  if (first !== undefined) {
    throw new ConfigError(faults.map(({ message }) => message).join("\n"), { cause: first.cause });
  }
  if (files.every(({ content }) => content === undefined)) {
    const fault = "no such file or directory (ENOENT)";
    throw new ConfigError(`${titleOf(paths)}${why} cannot be read: ${fault}`);
  }
  const present = files.filter(({ content }) => content !== undefined);
  if (present.every(({ content }) => Object.keys(content ?? {}).length === 0)) {
    throw new ConfigError(`${titleOf(present.map(({ path }) => path))} is empty`);
  }
  return selectTarget(files, options.context);
}

/** Why a file that a kubeconfig refers to cannot be read. */
export function referenceFault(file: ReferencedFile, err: unknown): string {
  const { key, of, kubeconfig, path } = file;
  const reason = `${path}: ${fileFault(err, path)}`;
  const cure =
    "a container sees no files of its host: kubectl config view --raw --flatten writes a kubeconfig that holds them";
  return `${key} of ${of} in the kubeconfig ${kubeconfig} cannot be read: ${reason}; ${cure}`;
}

/** A sentence for each file that the target refers to and that cannot be read. */
export function unreadableReferences(target: KubeconfigTarget): string[] {
  return referencedFiles(target).flatMap((file) => {
    try {
      readFileSync(file.path);
      return [];
    } catch (err) {
      return [referenceFault(file, err)];
    }
  });
}
