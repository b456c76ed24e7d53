// A lock between processes: a file that names its holder, who touches it regularly. It is stale if
// the holder is dead or (seen from another machine or container) has not touched it for a while.
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const TOUCH_MS = 5_000;
const STALE_MS = 30_000;
const LOOK_MS = 500;

/**
 * Runs `work` while no other process holds the lock.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {{onWait?: () => void, staleMs?: number, signal?: AbortSignal}} options `onWait` is called once when another process holds it
 * @returns {Promise<T>}
 */
export async function withLock(file, work, options = {}) {
  await mkdir(dirname(file), { recursive: true });
  const mine = `${process.pid} ${hostname()} ${randomUUID()}`;
  let hasWaited = false;
  while (!(await take(file, mine))) {
    options.signal?.throwIfAborted();
    if (await dropStale(file, options.staleMs ?? STALE_MS)) continue;
    if (!hasWaited) options.onWait?.();
    hasWaited = true;
    await sleep(LOOK_MS);
  }
  const timer = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if ((await read(file)) === mine) await rm(file, { force: true });
  }
}

/**
 * @param {string} file
 * @param {string} mine
 * @returns {Promise<boolean>}
 */
async function take(file, mine) {
  try {
    await writeFile(file, mine, { flag: "wx" });
    return true;
  } catch (err) {
    if (err instanceof Error && "code" in err && err.code === "EEXIST") return false;
    throw err;
  }
}

/**
 * @param {string} file
 * @returns {Promise<string | undefined>}
 */
function read(file) {
  return readFile(file, "utf8").catch(() => undefined);
}

/**
 * Removes a stale lock; returns true if the lock may be free now.
 * @param {string} file
 * @param {number} staleMs
 * @returns {Promise<boolean>}
 */
async function dropStale(file, staleMs) {
  const stats = await stat(file).catch(() => undefined);
  if (stats === undefined) return true;
  const holder = await read(file);
  if (Date.now() - stats.mtimeMs < staleMs && !isDead(holder)) return false;
  const aside = `${file}.${randomUUID()}`;
  // Only one process can move it; one that moved a newer lock by mistake moves it back.
  if (
    !(await rename(file, aside).then(
      () => true,
      () => false,
    ))
  )
    return true;
  if ((await read(aside)) === holder) await rm(aside, { force: true });
  else await rename(aside, file).catch(() => undefined);
  return true;
}

/**
 * Whether a lock's holder was on this machine and is gone.
 * @param {string | undefined} holder
 */
function isDead(holder) {
  const [pid = "", host] = (holder ?? "").split(" ");
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (err) {
    return err instanceof Error && "code" in err && err.code === "ESRCH";
  }
}
