/** A queue: what is taken from it was put in first. */
type Queue<T> = { readonly items: T[]; taken: number };

/** What has reproduced as many observations, by its distance to the next one. */
type Layer<T> = { readonly queues: Queue<T>[]; taken: number };

const isOpen = (queue: Queue<unknown>) => queue.taken < queue.items.length;
const hasOpen = (layer: Layer<unknown>) =>
  layer.queues.some((queue) => queue !== undefined && isOpen(queue));

function least<T extends { readonly taken: number }>(some: readonly T[]): T | undefined {
  return some.reduce<T | undefined>(
    (best, next) => (best === undefined || next.taken < best.taken ? next : best),
    undefined,
  );
}

/**
 * States to look at. Every other time one that has reproduced most, or is nearest to what is next;
 * else one of those that were looked at least, for what looks best may lead nowhere.
 */
export class Frontier<T> {
  readonly #layers: Layer<T>[] = [];
  readonly #known = new Set<string>();
  #count = 0;

  get size(): number {
    return this.#known.size;
  }

  push(
    item: T,
    at: { readonly key: string; readonly observed: number; readonly away: number },
  ): void {
    if (this.#known.has(at.key)) return;
    this.#known.add(at.key);
    const layer = (this.#layers[at.observed] ??= { queues: [], taken: 0 });
    (layer.queues[at.away] ??= { items: [], taken: 0 }).items.push(item);
  }

  pop(): T | undefined {
    const count = this.#count;
    this.#count += 1;
    const layers = this.#layers.filter((layer) => layer !== undefined && hasOpen(layer));
    const layer = count % 2 === 0 ? layers.at(-1) : least(layers);
    const queues = layer?.queues.filter((queue) => queue !== undefined && isOpen(queue)) ?? [];
    const queue = count % 4 < 2 ? queues[0] : least(queues);
    if (layer === undefined || queue === undefined) return undefined;
    const item = queue.items[queue.taken];
    delete queue.items[queue.taken];
    queue.taken += 1;
    layer.taken += 1;
    return item;
  }
}
