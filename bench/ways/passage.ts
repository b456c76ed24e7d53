/** What the probe in a service waits for. */
export type ProbeOptions = {
  /** URL of the checkout that the service runs from, with a slash at its end. */
  readonly root: string;
  /** Regular expressions: of the bytes that bring a change, and of those by which it goes on. */
  readonly begin: string;
  readonly end: string;
  /** After so many changes, the probe looks at the order. */
  readonly undisturbed: number;
};

/** The files that ran in one service for one change, relative to the root. */
export type Passage = {
  readonly files: readonly string[];
  /** Whether they are in order of first use; then the service was slowed down. */
  readonly isOrdered: boolean;
};
