// `npm start`, run with Node 24: starts everything Rollcast needs, the three services, and the
// demo.
import { dirname } from "node:path";
import process from "node:process";
import { createPrinter } from "@rollcast/demo/printer";
import { createDemoExpectation } from "@rollcast/demo/demo-expectation";
import { playDemo } from "@rollcast/demo/play-demo";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { isAdopted } from "./is-adopted.ts";
import { withLock } from "../bootstrap/lock.mjs";
import { USAGE, parseOptions } from "./options.ts";
import type { Options } from "./options.ts";
import { createProgress } from "../bootstrap/progress.mjs";
import { which } from "../bootstrap/run-command.mjs";
import { startEnvironment } from "./environment.ts";
import type { RunContext } from "./environment.ts";
import { dataDir } from "./data-dir.ts";
import { whatNext } from "./what-next.ts";

const DEMO_MS = 180_000;

/** The folder of servers, last on PATH, may have the tests' own. */
function hasKubectl(): boolean {
  const file = which("kubectl");
  return file !== undefined && dirname(file) !== process.env.ROLLCAST_SERVERS_DIR;
}

/**
 * Resolves when aborted or (with `--once`) when the demo has ended. Throws with the reason if
 * something failed.
 */
async function run(context: RunContext): Promise<void> {
  const { options, printer, signal } = context;
  const expectation = createDemoExpectation();
  const play = async () => {
    const environment = await startEnvironment(context, expectation);
    if (options.demo) {
      const { client, name } = environment.target;
      const isReady = () => isAdopted(environment.nats, name);
      const demo = playDemo({ client, isReady, printer, expectation, signal });
      await Promise.race([demo, environment.services.broken]);
    }
    return environment;
  };
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no success within ${DEMO_MS / 60_000} minutes`)),
    DEMO_MS,
  );
  const { target, services } = await Promise.race([play(), late.promise]);
  clearTimeout(timer);
  if (options.once) return;
  printer.say(`\n${whatNext(target.kubectlArgs, options.demo, hasKubectl())}\n`);
  await services.broken;
}

/**
 * Only one run at a time works on a user's cluster; local runs each have a cluster of their own.
 */
async function alone(options: Options, dir: string, work: () => Promise<void>): Promise<void> {
  if (options.cluster === undefined) return work();
  const onWait = () => {
    throw new Error("another `npm start` works on this cluster already");
  };
  return withLock(`${dir}.lock`, work, { onWait });
}

/**
 * A signal that fires on SIGINT, SIGTERM, or when the guard that started this is gone: it has the
 * other end of the standard input.
 */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const onStop = () => stop.abort();
  process.on("SIGINT", onStop).on("SIGTERM", onStop);
  process.stdin.on("end", onStop).on("error", onStop).resume();
  return stop.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function main(options: Options): Promise<number> {
  const root = repositoryRoot();
  const signal = stopSignal();
  const printer = createPrinter((text) => void process.stdout.write(text));
  const progress = createProgress({ write: printer.write });
  const dir = await dataDir(root, options);
  const stack = new AsyncDisposableStack();
  const context = { root, options, dir: dir.path, printer, progress, stack, signal };
  try {
    await alone(options, dir.path, async () => {
      try {
        await Promise.race([run(context), aborted(signal)]);
      } finally {
        if (!options.once || signal.aborted) printer.say("ending what was started");
        await stack.disposeAsync();
      }
    });
    return signal.aborted && options.once ? 130 : 0;
  } catch (err) {
    printer.say(`\nfailed: ${err instanceof Error ? err.message : String(err)}`);
    return 1;
  } finally {
    await dir[Symbol.asyncDispose]();
  }
}

function optionsOrUsage(args: readonly string[]): Options | undefined {
  try {
    return parseOptions(args);
  } catch (err) {
    process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n\n${USAGE}`);
    return undefined;
  }
}

const options = optionsOrUsage(process.argv.slice(2));
// What was still starting when the run was aborted ends with the process.
process.exit(options === undefined ? 2 : await main(options));
