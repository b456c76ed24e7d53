/** The whole numbers from `from` on, before `to`. */
export function* numbers(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}
