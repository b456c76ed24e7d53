/** Under which circumstances something was seen. */
export type Circumstances = {
  /** Id of the installation key that made the digests. */
  readonly keyId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly origin: "list" | "watch";
  /** The first sync of this kind and namespace is over: what is unknown is new. */
  readonly covered: boolean;
  /** The cluster was restored from a backup and this is of the list that showed it: contents count, versions do not. */
  readonly restored: boolean;
};

/** A source that is not there any more, as of a resourceVersion. */
export type DeletedSource = { readonly uid?: string; readonly resourceVersion: string };

/** Where something was seen; `restored`: on a list that showed that the cluster was restored from a backup. */
export type Observation = { readonly origin: "list" | "watch"; readonly restored: boolean };
