import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { mapLimit } from "@rollcast/async/map-limit";
import type { Cluster } from "@rollcast/testkit/cluster";
import { paths } from "@rollcast/testkit/objects";
import type { ServiceLogLine, Service } from "@rollcast/testkit/services";
import { numbers } from "../../lab/numbers.ts";

export const KEYS = 10;
export const BYTES = 2_048;
const PAGE = 500;
const WRITERS = 16;

export const nameOf = (i: number) => `secret-${String(i).padStart(6, "0")}`;

export async function createSecrets(cluster: Cluster, namespace: string, from: number, to: number) {
  await mapLimit(numbers(from, to), WRITERS, async (i) => {
    const value = Buffer.alloc(Math.floor(BYTES / KEYS), `${i}-`).toString("base64");
    const data = Object.fromEntries(Array.from({ length: KEYS }, (_, k) => [`key-${k}`, value]));
    const metadata = { name: nameOf(i) };
    await cluster.api.create(paths.secret(namespace), { metadata, type: "Opaque", data });
  });
}

type Page = { metadata: { continue?: string }; items: unknown[] };

/** Objects a second of the API server's own paginated list, read and parsed by a plain client. */
export async function listRate(cluster: Cluster): Promise<number> {
  const began = performance.now();
  let count = 0;
  let token = "";
  do {
    const query = `limit=${PAGE}${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`;
    const page = await cluster.api.get<Page>(`/api/v1/secrets?${query}`);
    count += page.items.length;
    token = page.metadata.continue ?? "";
  } while (token !== "");
  return count / ((performance.now() - began) / 1_000);
}

type Running = { service: Service; namespace: string };

const timeOf = (line: ServiceLogLine) => Date.parse(String(line.time));

/**
 * Seconds from the watcher's start of listing to the end of its list of Secrets, all of them
 * recorded.
 */
export async function syncSeconds({ service }: Running): Promise<number> {
  await service.waitReady(600_000);
  const started = await service.waitLog(({ msg }) => msg === "watcher started");
  const listed = await service.waitLog(
    ({ msg, resource }) => msg === "listed" && resource === "secrets",
    600_000,
  );
  return (timeOf(listed) - timeOf(started)) / 1_000;
}

export type Memory = { rss: number; heap: number };

/**
 * Memory after the garbage is collected, in bytes: resident, and what the heap and buffers hold.
 */
export async function steadyMemory({ service }: Running): Promise<Memory> {
  await sleep(3_000);
  const before = service.logs.filter(({ msg }) => msg === "memory").length;
  for (let i = 1; i <= 3; i++) {
    process.kill(service.pid, "SIGUSR2");
    await service.waitLog(
      () => service.logs.filter(({ msg }) => msg === "memory").length >= before + i,
    );
    await sleep(500);
  }
  const last = service.logs.findLast(({ msg }) => msg === "memory");
  return {
    rss: Number(last?.rss),
    heap: Number(last?.heapUsed) + Number(last?.external),
  };
}
