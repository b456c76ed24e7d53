// Builds the images that stand in for those of registries, each only if its inputs have changed.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { docker, importImage } from "../engine/docker.ts";
import { createMaterials } from "./materials.ts";
import { distroless } from "./distroless.ts";
import { k3s } from "./k3s.ts";
import { nats } from "./nats.ts";
import { node } from "./node.ts";
import { redis } from "./redis.ts";
import type { Progress } from "../../bootstrap/progress.mjs";
import type { Docker } from "../engine/docker.ts";
import type { Materials } from "./materials.ts";
import type { StandIn } from "./stand-in.ts";

/** Stand-ins by the name of their files. */
const STAND_INS: Readonly<Record<string, StandIn>> = { node, distroless, nats, redis, k3s };
/** Shared inputs of all stand-ins. */
const COMMON = ["stand-in.ts", "materials.ts", "debian.ts"];
const LABEL = "dev.rollcast.stand-in";

/** Finds the stand-in for an image. Throws if there is none. */
export function standInFor(image: string): StandIn {
  const standIn = Object.values(STAND_INS).find(({ images }) => images.test(image));
  if (standIn === undefined) {
    throw new Error(`nothing stands in for the image ${image}: scripts/containers/stand-ins`);
  }
  return standIn;
}

export type BuildOptions = {
  engine: Docker;
  /** A folder for downloads. */
  dir: string;
  servers: string;
  signal: AbortSignal;
  progress: Progress;
};

/** Builds the stand-ins for `images` that are missing or outdated. */
export async function buildStandIns(images: readonly string[], options: BuildOptions) {
  const { engine, servers, signal, progress } = options;
  const standIns = images.map((image) => ({ image, standIn: standInFor(image) }));
  const work = join(options.dir, "work");
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    const materials = createMaterials({ work, servers, env: engine.env, signal });
    for (const { image, standIn } of standIns) {
      const hash = await standInHash(standIn, materials);
      if ((await labelOf(engine, image)) === hash) continue;
      const since = Date.now();
      const root = join(work, `root-${hash.slice(0, 12)}`);
      await mkdir(root);
      const changes = [...standIn.changes, `LABEL ${LABEL}=${hash}`];
      const made = standIn
        .fill(root, materials)
        .then(() => importImage(engine, { name: image, root, changes }));
      await progress.live(`making what stands in for ${image}`, made);
      await rm(root, { recursive: true, force: true });
      progress.done(`made what stands in for ${image}`, since);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function labelOf(engine: Docker, image: string): Promise<string | undefined> {
  const format = `{{index .Config.Labels "${LABEL}"}}`;
  return docker(engine, ["image", "inspect", "--format", format, image]).catch(() => undefined);
}

/** Hashes the code that builds an image and all its other inputs. */
async function standInHash(standIn: StandIn, materials: Materials): Promise<string> {
  const dir = import.meta.dirname;
  const [name = ""] = Object.entries(STAND_INS).find(([, value]) => value === standIn) ?? [];
  const own = (await readdir(dir)).filter((file) => file.startsWith(`${name}.`)).toSorted();
  const hash = createHash("sha256");
  for (const file of [...COMMON, ...own]) hash.update(await readFile(join(dir, file)));
  return hash.update(JSON.stringify(await standIn.inputs(materials))).digest("hex");
}
