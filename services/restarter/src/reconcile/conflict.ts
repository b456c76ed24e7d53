/**
 * What was decided on is not what is there now: somebody else wrote the record, or changed the
 * workload. The decision is dropped, and made again on what is there.
 */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** More conflicts in a row than replicas and controllers make. */
const MAX_ATTEMPTS = 20;

/** Repeats `work` while it ends in a {@link ConflictError}; throws the last one, and all others. */
export async function retryOnConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (err) {
      if (!(err instanceof ConflictError) || attempt === MAX_ATTEMPTS) throw err;
    }
  }
}
