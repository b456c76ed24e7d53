/** Does `work` for each item, `count` at once. */
export async function lanes<T>(
  items: Iterable<T>,
  count: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const iterator = Iterator.from(items);
  const lane = async () => {
    for (const item of iterator) await work(item);
  };
  await Promise.all(Array.from({ length: count }, lane));
}

/** The whole numbers from `from` on, before `to`. */
export function* numbers(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}
