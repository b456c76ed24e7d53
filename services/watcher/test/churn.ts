import type { Api } from "@rollcast/testkit/test-api";
import { configMap, paths, secret } from "@rollcast/testkit/objects";

const MAX_CONCURRENT = 16;

/** Runs `work` for 0 to `count` - 1 with bounded concurrency. */
export async function each(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT, count) }, worker));
}

const isSecret = (i: number) => i % 2 === 1;
const nameOf = (i: number) => `s${i}`;

/** Creates object `i`: every other one is a Secret. */
export function createObject(api: Api, namespace: string, i: number, v = "0"): Promise<unknown> {
  return isSecret(i)
    ? api.create(paths.secret(namespace), secret(namespace, nameOf(i), { v }))
    : api.create(paths.configMap(namespace), configMap(namespace, nameOf(i), { v }));
}

export function changeObject(api: Api, namespace: string, i: number, v: string): Promise<unknown> {
  return isSecret(i)
    ? api.patch(paths.secret(namespace, nameOf(i)), { stringData: { v } })
    : api.patch(paths.configMap(namespace, nameOf(i)), { data: { v } });
}

export function removeObject(api: Api, namespace: string, i: number): Promise<void> {
  return api.remove((isSecret(i) ? paths.secret : paths.configMap)(namespace, nameOf(i)));
}

/**
 * Changes `count` objects twice; one in ten is deleted and recreated in between, with the same or
 * with other data.
 */
export async function churn(
  api: Api,
  namespace: string,
  count: number,
  round: string,
): Promise<void> {
  await each(count, async (i) => {
    await changeObject(api, namespace, i, `${round}-first`);
    if (i % 10 === 0) {
      await removeObject(api, namespace, i);
      await createObject(api, namespace, i, i % 20 === 0 ? `${round}-first` : `${round}-other`);
    }
    await changeObject(api, namespace, i, `${round}-last`);
  });
}
