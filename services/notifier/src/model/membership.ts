/** The group that an event belongs to. */
export type Membership = {
  readonly receiver: string;
  /** Distinguishes routes that send to the same receiver. */
  readonly route: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How long the first event of a group waits for others; milliseconds. */
  readonly groupWaitMs: number;
  /** Minimum time between two messages of a group; milliseconds. */
  readonly groupIntervalMs: number;
};
