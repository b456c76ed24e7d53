import { randomUUID } from "node:crypto";

/** Milliseconds since the epoch. */
export const clock = (): number => Date.now();
export const newId = (): string => randomUUID();
