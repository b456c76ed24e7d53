/**
 * The failpoints of the outbox: a process that dies at any of them must neither lose nor duplicate
 * an event.
 */
export const FAILPOINTS = ["before-put", "after-put", "after-publish", "after-published"] as const;
export type Failpoint = (typeof FAILPOINTS)[number];
