/** The circumstances of an observation, for comparing it with the record. */
export type Circumstances = {
  /** Id of the installation key that made the digests. */
  readonly keyId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly origin: "list" | "watch";
  /** The first sync of this kind and namespace is complete, so a source without a record is new. */
  readonly covered: boolean;
  /**
   * The cluster was restored from a backup and this comes from the list that showed it: compare
   * contents, not versions.
   */
  readonly restored: boolean;
};

/** A source that was deleted as of a resourceVersion. */
export type DeletedSource = { readonly uid?: string; readonly resourceVersion: string };

/**
 * How a source was observed; `restored`: by a list that showed that the cluster was restored from a
 * backup.
 */
export type Observation = { readonly origin: "list" | "watch"; readonly restored: boolean };
