import type { Materials } from "./materials.ts";

/** How to build an image that behaves like one of a registry, as far as Rollcast needs it. */
export type StandIn = {
  /** The names of the images that it stands in for. */
  readonly images: RegExp;
  /** Lines of a Dockerfile: environment, user, entrypoint and the like. */
  readonly changes: readonly string[];
  /** Inputs besides its own files in this folder; the image is rebuilt when they change. */
  inputs(materials: Materials): Promise<readonly string[]>;
  /** Fills the image's root folder. */
  fill(root: string, materials: Materials): Promise<void>;
};

export const PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
export const ROOT_USER = "root:x:0:0:root:/root:/bin/sh\n";
export const ROOT_GROUP = "root:x:0:\n";
