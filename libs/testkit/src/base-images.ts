import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "./binaries.ts";
import { composed } from "./compose.ts";

/**
 * The names, without digests, of the images that this checkout's Dockerfile and docker-compose.yml
 * fetch, with all profiles.
 */
export async function checkoutImages(): Promise<string[]> {
  const root = repositoryRoot();
  const { services } = await composed([join(root, "docker-compose.yml")], { profiles: ["*"] });
  return baseImages(await readFile(join(root, "Dockerfile"), "utf8"), services);
}

/**
 * The names of `FROM` and `COPY --from` that are no stages, and those of services that none builds.
 * Pure.
 */
export function baseImages(
  dockerfile: string,
  services: Readonly<Record<string, { image?: string; build?: object | null }>>,
): string[] {
  const all = Object.values(services);
  // A service may run what another one builds.
  const built = new Set(all.flatMap(({ image, build }) => (build ? [image] : [])));
  const fetched = all.flatMap(({ image }) =>
    image === undefined || built.has(image) ? [] : [image],
  );
  return [...new Set([...imagesOf(dockerfile), ...fetched].map(withoutDigest))].toSorted();
}

function imagesOf(dockerfile: string): string[] {
  const stages = new Set(["scratch"]);
  const images: string[] = [];
  for (const line of dockerfile.replaceAll(/\\\n/g, " ").split("\n")) {
    const from = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line);
    const copied = /^\s*(?:COPY|RUN)\s/i.test(line)
      ? line.matchAll(/\s--(?:from=|mount=\S*\bfrom=)([^\s,]+)/g)
      : [];
    for (const name of [from?.[1], ...[...copied].map((match) => match[1])]) {
      if (name !== undefined && !stages.has(name) && !/^\d+$/.test(name)) images.push(name);
    }
    if (from?.[2] !== undefined) stages.add(from[2]);
  }
  return images;
}

function withoutDigest(image: string): string {
  return image.replace(/@sha256:[0-9a-f]+$/, "");
}
