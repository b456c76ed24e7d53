import { mkdir, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { packageDir, repositoryRoot } from "@rollcast/testkit/binaries";
import type { Composed, ComposeService } from "@rollcast/testkit/compose";
import { startProcess } from "@rollcast/testkit/process";
import type { Running } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";

/** A container that runs as a process, and every line it wrote. */
export type Started = { readonly running: Running; readonly lines: readonly string[] };

/** What a container has of its own here. */
export type Own = {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** A folder that holds it as its image does; else this repository. */
  readonly tree?: string;
  /** Instead of its health check, which may need what only its image has. */
  readonly isHealthy?: () => Promise<boolean>;
};

export type CompositionOptions = {
  readonly composed: Composed;
  /** Where the volumes are, each in a folder of its name, and the containers' roots. */
  readonly dir: string;
  /**
   * Texts that stand for others on this machine, in arguments, environment and mounted files:
   * `nats:4222` -> `127.0.0.1:41234`.
   */
  readonly instead: ReadonlyMap<string, string>;
  readonly own: Readonly<Record<string, Own>>;
  /** Services that something else stands for here. */
  readonly given: readonly string[];
};

/** Services of a compose file as processes of this machine. */
export type Composition = AsyncDisposable & {
  /** Starts a service when those that it depends on are as it wants them. */
  up(name: string): Promise<Started>;
};

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** Replaces all at once, so that nothing is replaced in what was put in. */
function replacer(pairs: ReadonlyMap<string, string>): (text: string) => string {
  const longestFirst = [...pairs.keys()].toSorted((a, b) => b.length - a.length);
  const all = new RegExp(longestFirst.map(escape).join("|"), "g");
  return (text) => text.replaceAll(all, (key) => pairs.get(key) ?? key);
}

/** Copies a file or a folder that is mounted, with what `fit` makes of each text. */
async function copyMount(
  source: string,
  target: string,
  fit: (text: string) => string,
): Promise<void> {
  if ((await stat(source)).isDirectory()) {
    await mkdir(target, { recursive: true });
    for (const name of await readdir(source)) {
      await copyMount(join(source, name), join(target, name), fit);
    }
  } else await writeFile(target, fit(await readFile(source, "utf8")));
}

/**
 * Makes a container's root with its mounts in it; returns what makes a text of the container one of
 * this machine.
 */
async function makeRoot(
  { dir, instead }: CompositionOptions,
  name: string,
  { volumes = [] }: ComposeService,
): Promise<(text: string) => string> {
  const root = join(dir, "roots", name);
  const pairs = new Map(instead);
  for (const { type, source, target } of volumes) {
    pairs.set(target, type === "bind" ? join(root, target) : join(dir, source));
  }
  const fit = replacer(pairs);
  for (const { type, source, target } of volumes) {
    const path = join(root, target);
    await mkdir(dirname(path), { recursive: true });
    if (type === "bind") await copyMount(source, path, fit);
    else {
      await mkdir(join(dir, source), { recursive: true });
      await symlink(join(dir, source), path);
    }
  }
  const isAbove = (path: string) => volumes.some(({ target }) => target.startsWith(`${path}/`));
  return (text) => (text.startsWith("/") && isAbove(text) ? join(root, text) : fit(text));
}

/** The program of a checkout that is this one in an image, where it is JavaScript. */
export function inCheckout(program: string, root = repositoryRoot()): string {
  return join(root, program.replace(/\.js$/, ".ts"));
}

/** What the container's image starts. */
function commandOf(service: ComposeService, { tree, args = [] }: Own): string[] {
  const { command, entrypoint, image } = service;
  if (!image.startsWith("rollcast-")) return [...(entrypoint ?? []), ...(command ?? []), ...args];
  if (tree !== undefined) return [process.execPath, ...(command ?? ["main.mjs"]), ...args];
  const [program, ...words] = command ?? [
    `${packageDir(image.replace("rollcast-", ""))}/src/main.js`,
  ];
  return [process.execPath, inCheckout(program ?? ""), ...words, ...args];
}

type Checked = {
  readonly service: ComposeService;
  readonly env: Readonly<Record<string, string>>;
};

async function isHealthy({ service, env }: Checked, own: Own): Promise<boolean> {
  if (own.isHealthy !== undefined) return own.isHealthy();
  const [, , program = "", ...args] = service.healthcheck?.test ?? [];
  await using check = await startProcess(process.execPath, [inCheckout(program), ...args], { env });
  return (await check.exited) === 0;
}

export function compose(options: CompositionOptions): Composition {
  const { composed, own, given } = options;
  const stack = new AsyncDisposableStack();
  const starting = new Map<string, ReturnType<typeof start>>();

  const start = async (name: string): Promise<Started & Checked> => {
    const service = composed.services[name];
    if (service === undefined) throw new Error(`there is no service ${name}`);
    const others = Object.entries(service.depends_on ?? {}).filter(
      ([dependency]) => !given.includes(dependency),
    );
    await Promise.all(others.map(([other, { condition }]) => until(other, condition)));
    const fit = await makeRoot(options, name, service);
    const mine = own[name] ?? {};
    const env: Record<string, string> = {};
    for (const [key, value] of Object.entries(service.environment ?? {})) {
      env[key] = fit(value ?? "");
    }
    Object.assign(env, mine.env);
    const [program = "", ...args] = commandOf(service, mine).map(fit);
    const lines: string[] = [];
    const running = await startProcess(program, args, {
      env,
      cwd: mine.tree ?? fit(String(service.working_dir ?? repositoryRoot())),
      onLine: (line) => lines.push(line),
    });
    stack.use(running);
    return { running, lines, service, env };
  };
  const up = (name: string): ReturnType<typeof start> => {
    const before = starting.get(name);
    if (before !== undefined) return before;
    const fresh = start(name);
    starting.set(name, fresh);
    return fresh;
  };
  const until = async (name: string, condition: string): Promise<void> => {
    const started = await up(name);
    const { running, lines } = started;
    const ended = () => new Error(`${name} is not as it should be: ${lines.join("\n")}`);
    if (condition === "service_completed_successfully") {
      if ((await running.exited) !== 0) throw ended();
      return;
    }
    const look = () => running.hasExited() || isHealthy(started, own[name] ?? {});
    const wait = { message: `${name} to be healthy`, timeout: 60_000, every: 200 };
    await waitFor(look, wait).catch(() => {
      throw ended();
    });
    if (running.hasExited()) throw ended();
  };
  return { up, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
