/** Which group an event belongs to. */
export type Membership = {
  readonly receiver: string;
  /** Distinguishes routes that send to one receiver. */
  readonly route: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds the first event of a group waits for others. */
  readonly groupWaitMs: number;
  /** Milliseconds between two messages of one group. */
  readonly groupIntervalMs: number;
};
