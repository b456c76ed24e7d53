import { describe, expect, test } from "vitest";
import type { EngineFacts } from "./engine-facts.mjs";
import { planEngine } from "./engine-plan.mjs";

/** A machine without Debian, root or engine. */
const BARE: EngineFacts = {
  choice: undefined,
  answers: false,
  plugins: [],
  root: false,
  debian: undefined,
  commands: [],
};
const ROOT: Partial<EngineFacts> = { root: true, debian: "bookworm" };
const ENGINE: Partial<EngineFacts> = { answers: true, plugins: ["compose", "buildx"] };
const ALL = ["docker.io", "iptables", "iproute2"];

describe("which engine is used, and what Debian has to bring", () => {
  test.each([
    ["root on Debian", ROOT, { engine: "own", packages: ALL }],
    [
      "a newer Debian, whose client is a package of its own",
      { ...ROOT, debian: "trixie" },
      { engine: "own", packages: ["docker.io", "docker-cli", "iptables", "iproute2"] },
    ],
    [
      "a client without its engine",
      { ...ROOT, commands: ["docker", "iptables", "ip"] },
      { engine: "own", packages: ["docker.io"] },
    ],
    [
      "everything is installed",
      { ...ROOT, commands: ["docker", "dockerd", "iptables", "ip"] },
      { engine: "own", packages: [] },
    ],
    ["an engine that runs", ENGINE, { engine: "host", packages: [] }],
    ["root beside an engine that runs", { ...ROOT, ...ENGINE }, { engine: "host", packages: [] }],
    ["the choice", { ...ROOT, ...ENGINE, choice: "own" }, { engine: "own", packages: ALL }],
  ])("%s", (_, facts, plan) => {
    expect(planEngine({ ...BARE, ...facts }, true)).toEqual({ plan, missing: [] });
  });
});

describe("what is missing is named", () => {
  test.each([
    ["neither root nor engine", {}, /a Docker engine that answers, or root on Debian/],
    ["root on another system", { root: true }, /a Docker engine that answers, or root on Debian/],
    ["an unknown Debian", { ...ROOT, debian: "sid" }, /a Docker engine that answers/],
    ["one of its own, without root", { ...ENGINE, choice: "own" }, /^root on Debian/],
    ["the machine's, which does not answer", { ...ROOT, choice: "host" }, /answers: https/],
    ["a choice that is none", { ...ROOT, choice: "mine" }, /^ROLLCAST_CONTAINERS_ENGINE/],
    ["a plugin", { ...ENGINE, plugins: ["compose"] }, /called buildx/],
  ])("%s", (_, facts, message) => {
    expect(planEngine({ ...BARE, ...facts }, true).missing).toEqual([
      expect.stringMatching(message),
    ]);
  });

  test("no package can be installed", () => {
    expect(planEngine({ ...BARE, ...ROOT }, false).missing).toHaveLength(1);
  });
});
