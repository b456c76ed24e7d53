import { createKeyedPool } from "./keyed-pool.ts";

/**
 * Results of `work` for each item, in the items' order; at most `limit` at once. Throws the first
 * error after all calls under way have ended; the rest is not begun.
 */
export async function mapLimit<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const errors: unknown[] = [];
  const pool = createKeyedPool<number>(limit, (err) => errors.push(err));
  let count = 0;
  for (const item of items) {
    const index = count++;
    await pool.run(index, async () => {
      if (errors.length === 0) results[index] = await work(item);
    });
  }
  await pool.drain();
  if (errors.length > 0) throw errors[0];
  return results;
}
