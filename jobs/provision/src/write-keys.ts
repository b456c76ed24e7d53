import { join } from "node:path";
import { ConfigError } from "@rollcast/shared/errors";
import { findSeed } from "@rollcast/nats/identity";
import { publicKeyOf } from "@rollcast/nats/nkey";
import { createFile, prepareFolder, readIfThere, replaceFile } from "./atomic-file.ts";
import { makeApiTokens, makeInstallationKey, makeSecrets, serverFilesOf } from "./credentials.ts";
import type { CredentialFiles } from "./credentials.ts";
import { isApiToken, isOfShape, placeOf, tokenCopies } from "./key-places.ts";
import type { KeyPlace, Shape } from "./key-places.ts";

export type WriteKeysOptions = {
  readonly dir: string;
  /** The shape that keys are made for; all users if it is missing. */
  readonly shape?: Shape;
  /** Mode of each file. */
  readonly mode: number;
};

function isSeed(text: string): boolean {
  try {
    publicKeyOf(text);
    return true;
  } catch {
    return false;
  }
}

/** The secret in a file, as the services read it. */
function secretIn(name: string, text: string): string {
  if (name.endsWith(".nk")) return findSeed(text) ?? "";
  // The key's bytes count as they are.
  return name === "installation-key" ? text : text.trim();
}

/** What is wrong with an existing secret, without revealing any of it. */
function faultOf(name: string, text: string): string | undefined {
  if (name.endsWith(".nk")) return isSeed(text) ? undefined : "holds no nkey seed of a user";
  if (name === "installation-key") return text.length < 32 ? "is shorter than 32 bytes" : undefined;
  if (!isApiToken(name)) return text === "" ? "is empty" : undefined;
  return /^\S{16,}$/.test(text) ? undefined : "is no line of at least 16 characters";
}

/** Keeps the secret at `path` if it exists, else writes `text`. Throws {@link ConfigError}. */
async function keep(name: string, path: string, text: string, mode: number) {
  const made = (await readIfThere(path)) === undefined && (await createFile(path, text, mode));
  const kept = made ? text : secretIn(name, (await readIfThere(path)) ?? "");
  const fault = faultOf(name, kept);
  if (fault === undefined) return { kept, made };
  throw new ConfigError(`${path} ${fault}: delete it, and the next run makes another`);
}

/**
 * The files derived from the secrets, with their places. The public keys come last: nats-server
 * does not start without them.
 */
function derived(secrets: CredentialFiles, shape: Shape | undefined): [KeyPlace, string][] {
  const copies = Object.entries(secrets)
    .filter(([name]) => isApiToken(name))
    .flatMap(([name, token]) =>
      tokenCopies(name, shape).map((place): [KeyPlace, string] => [place, token]),
    );
  const files = Object.entries(serverFilesOf(secrets));
  return [
    ...copies,
    ...files.map(([name, text]): [KeyPlace, string] => [placeOf(name, shape), text]),
  ];
}

/**
 * Creates the missing keys below `dir` and returns the paths of the written files. Existing secrets
 * stay and all else is derived from them, so the keys match after every successful run, whatever a
 * killed run, an older version or a deleted volume left behind. Each file is written atomically.
 * Throws {@link ConfigError} that names the file or folder.
 */
export async function writeKeys({ dir, shape, mode }: WriteKeysOptions): Promise<string[]> {
  const written: string[] = [];
  const fresh = { ...makeSecrets(), ...makeInstallationKey(), ...makeApiTokens() };
  const secrets: Record<string, string> = {};
  const pathOf = async ([folder, file]: KeyPlace) => {
    await prepareFolder(join(dir, folder));
    return join(dir, folder, file);
  };
  for (const [name, text] of Object.entries(fresh)) {
    if (!isOfShape(name, shape)) continue;
    const path = await pathOf(placeOf(name, shape));
    const { kept, made } = await keep(name, path, text, mode);
    secrets[name] = kept;
    if (made) written.push(path);
  }
  for (const [place, text] of derived(secrets, shape)) {
    const path = await pathOf(place);
    if ((await readIfThere(path)) === text) continue;
    await replaceFile(path, text, mode);
    written.push(path);
  }
  return written;
}
