/**
 * Calls `work` for each item, at most `limit` at once. Throws the first error after all calls under
 * way have ended; the rest is not begun.
 */
export async function mapLimit<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const errors: unknown[] = [];
  const lane = async () => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      if (errors.length > 0) return;
      try {
        await work(next.value);
      } catch (err) {
        errors.push(err);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, lane));
  if (errors.length > 0) throw errors[0];
}
