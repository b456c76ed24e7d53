/** Messages of a receiver that are not delivered; `oldestAt` in milliseconds since the epoch. */
export type Waiting = { readonly count: number; readonly oldestAt: number };
