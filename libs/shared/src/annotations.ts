/**
 * The annotations of Rollcast's contract, by the key that renames them in `reload.annotations`:
 * Reloader's name, which can be renamed as Reloader's flags can, and our own, which always counts
 * and is asked first.
 */
export const ANNOTATIONS = {
  auto: { reloader: "reloader.stakater.com/auto", own: "rollcast.dev/auto" },
  configMapAuto: {
    reloader: "configmap.reloader.stakater.com/auto",
    own: "configmap.rollcast.dev/auto",
  },
  secretAuto: { reloader: "secret.reloader.stakater.com/auto", own: "secret.rollcast.dev/auto" },
  secretProviderClassAuto: {
    reloader: "secretproviderclass.reloader.stakater.com/auto",
    own: "secretproviderclass.rollcast.dev/auto",
  },
  configMap: {
    reloader: "configmap.reloader.stakater.com/reload",
    own: "configmap.rollcast.dev/reload",
  },
  secret: { reloader: "secret.reloader.stakater.com/reload", own: "secret.rollcast.dev/reload" },
  secretProviderClass: {
    reloader: "secretproviderclass.reloader.stakater.com/reload",
    own: "secretproviderclass.rollcast.dev/reload",
  },
  configMapExclude: {
    reloader: "configmaps.exclude.reloader.stakater.com/reload",
    own: "configmaps.exclude.rollcast.dev/reload",
  },
  secretExclude: {
    reloader: "secrets.exclude.reloader.stakater.com/reload",
    own: "secrets.exclude.rollcast.dev/reload",
  },
  secretProviderClassExclude: {
    reloader: "secretproviderclasses.exclude.reloader.stakater.com/reload",
    own: "secretproviderclasses.exclude.rollcast.dev/reload",
  },
  search: { reloader: "reloader.stakater.com/search", own: "rollcast.dev/search" },
  match: { reloader: "reloader.stakater.com/match", own: "rollcast.dev/match" },
  ignore: { reloader: "reloader.stakater.com/ignore", own: "rollcast.dev/ignore" },
  rolloutStrategy: {
    reloader: "reloader.stakater.com/rollout-strategy",
    own: "rollcast.dev/rollout-strategy",
  },
  pausePeriod: {
    reloader: "deployment.reloader.stakater.com/pause-period",
    own: "rollcast.dev/pause-period",
  },
} as const;

export type AnnotationKey = keyof typeof ANNOTATIONS;
export const ANNOTATION_KEYS = Object.keys(ANNOTATIONS) as [AnnotationKey, ...AnnotationKey[]];

/** Names that stand for Reloader's, by key. */
export type Renames = Readonly<Partial<Record<AnnotationKey, string | undefined>>>;

/** The names under which an annotation is read, ours first. */
export function annotationNames(key: AnnotationKey, renames: Renames): readonly [string, string] {
  const { own, reloader } = ANNOTATIONS[key];
  return [own, renames[key] ?? reloader];
}

/** Returns the name under which an object has the annotation that we call `own`. */
export function annotationNamer(
  renames: Renames,
): (annotations: Readonly<Record<string, unknown>>, own: string) => string {
  const names = new Map(ANNOTATION_KEYS.map((key) => annotationNames(key, renames)));
  return (annotations, own) => {
    const reloader = names.get(own) ?? own;
    return !Object.hasOwn(annotations, own) && Object.hasOwn(annotations, reloader)
      ? reloader
      : own;
  };
}

const OWN = /(?:^|\.)rollcast\.dev\//;

/**
 * Reads an object's annotations into our own names: what is written under Reloader's name counts
 * where ours is not there, everything else is left out. So the rest of the program knows one name
 * for each.
 */
export function annotationReader(
  renames: Renames,
): (annotations: unknown) => Readonly<Record<string, string>> {
  const twins = new Map(
    ANNOTATION_KEYS.map((key) => {
      const [own, reloader] = annotationNames(key, renames);
      return [reloader, own];
    }),
  );
  return (annotations) => {
    const read: Record<string, string> = {};
    if (typeof annotations !== "object" || annotations === null) return read;
    for (const [name, value] of Object.entries(annotations)) {
      if (typeof value !== "string") continue;
      const twin = twins.get(name);
      if (OWN.test(name)) read[name] = value;
      else if (twin !== undefined && !Object.hasOwn(annotations, twin)) read[twin] = value;
    }
    return read;
  };
}
