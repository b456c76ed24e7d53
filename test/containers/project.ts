import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "@rollcast/testkit/net";
import { waitFor } from "@rollcast/testkit/wait";
import { stringify } from "yaml";
import { copyCheckout } from "./checkout.ts";

/** How a command ended; `output` is both streams. */
export type Ended = { readonly code: number; readonly stdout: string; readonly output: string };

/** What `docker inspect` says of a container, as far as tests look at it. */
export type Inspected = {
  readonly Id: string;
  readonly Image: string;
  readonly Config: {
    readonly Labels: Readonly<Record<string, string>>;
    readonly User: string;
    readonly Image: string;
  };
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Pid: number;
    readonly StartedAt: string;
    readonly OOMKilled: boolean;
    readonly Health?: {
      readonly Status: string;
      readonly Log: readonly { readonly ExitCode: number; readonly Output: string }[] | null;
    };
  };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly Memory: number;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly LogConfig: { readonly Config: Readonly<Record<string, string>> };
  };
  readonly RestartCount: number;
  readonly Mounts: readonly { readonly Name?: string; readonly Destination: string }[];
};

export type Ports = {
  readonly nats: number;
  readonly restarter: number;
  readonly notifier: number;
};

/**
 * The compose file of a checkout of its own, on a real engine. Everything it made is removed at
 * disposal.
 */
export type Project = AsyncDisposable & {
  readonly dir: string;
  readonly ports: Ports;
  /**
   * Runs a shell command in the checkout, as a user would, with the project's variables; does not
   * throw.
   */
  sh(command: string, env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** `docker compose ARGS`; throws with its output where it fails. */
  compose(...args: string[]): Promise<string>;
  /** Every container of the project, also one that has ended, by the name of its service. */
  inspect(): Promise<ReadonlyMap<string, Inspected>>;
  /** Runs JavaScript in the container of a service; what it writes to stdout. */
  evaluate(service: string, script: string): Promise<string>;
  logs(service: string): Promise<string>;
  /** Waits until the engine calls the service healthy. */
  waitHealthy(service: string): Promise<void>;
};

const MAX_OUTPUT_BYTES = 64 << 20;
const HEALTHY_MS = 180_000;

function runShell(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env, maxBuffer: MAX_OUTPUT_BYTES };
    execFile("sh", ["-c", command], options, (err, stdout, stderr) => {
      const code = err === null ? 0 : typeof err.code === "number" ? err.code : 1;
      resolve({ code, stdout, output: `${stdout}${stderr}` });
    });
  });
}

/** Whatever of the developer's own settings would reach compose. */
function cleanEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(ROLLCAST_|COMPOSE_|KUBECONFIG$)/.test(name),
  );
  return Object.fromEntries(kept);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** `env`: the variables that a user would set. Nothing is started yet. */
export async function openProject(env: Readonly<Record<string, string>> = {}): Promise<Project> {
  await using undo = new AsyncDisposableStack();
  const { dir } = undo.use(await copyCheckout());
  const override = join(dir, "override.yml");
  // k3s' stand-in needs no privileges, and gets none where none are given.
  const services = process.env.ROLLCAST_STAND_INS === "1" ? { k3s: { privileged: false } } : {};
  await writeFile(override, stringify({ services }));
  const ports = {
    nats: await freePort(),
    restarter: await freePort(),
    notifier: await freePort(),
  };
  const all: NodeJS.ProcessEnv = {
    ...cleanEnv(),
    COMPOSE_PROJECT_NAME: `rollcast-test-${randomBytes(3).toString("hex")}`,
    COMPOSE_FILE: `docker-compose.yml:${override}`,
    COMPOSE_ANSI: "never",
    COMPOSE_PROGRESS: "plain",
    ROLLCAST_NATS_PORT: String(ports.nats),
    ROLLCAST_RESTARTER_API_PORT: String(ports.restarter),
    ROLLCAST_NOTIFIER_API_PORT: String(ports.notifier),
    ...env,
  };
  const sh = (command: string, more: Readonly<Record<string, string>> = {}) =>
    runShell(command, dir, { ...all, ...more });
  const must = async (command: string) => {
    const ended = await sh(command);
    if (ended.code !== 0) throw new Error(`${command} ended with ${ended.code}:\n${ended.output}`);
    return ended.stdout;
  };
  const compose = (...args: string[]) => must(["docker", "compose", ...args].map(quote).join(" "));
  undo.defer(async () => {
    await sh("docker compose --profile demo down --volumes --timeout 5 --remove-orphans");
  });
  const inspect = async () => {
    const ids = (await compose("ps", "--all", "--quiet")).split("\n").filter((id) => id !== "");
    if (ids.length === 0) return new Map<string, Inspected>();
    const inspected = JSON.parse(await must(`docker inspect ${ids.join(" ")}`)) as Inspected[];
    return new Map(
      inspected.map((container) => [
        container.Config.Labels["com.docker.compose.service"] ?? "",
        container,
      ]),
    );
  };
  const kept = undo.move();
  return {
    dir,
    ports,
    sh,
    compose,
    inspect,
    evaluate: (service, script) =>
      compose("exec", "--no-TTY", service, "/nodejs/bin/node", "--eval", script),
    logs: (service) => compose("logs", "--no-log-prefix", "--no-color", service),
    async waitHealthy(service) {
      const isHealthy = async () =>
        (await inspect()).get(service)?.State.Health?.Status === "healthy";
      const message = `${service} to be healthy`;
      await waitFor(isHealthy, { message, timeout: HEALTHY_MS, every: 500 });
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
