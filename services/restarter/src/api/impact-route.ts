import { ProblemError } from "@rollcast/shared/api/problem";
import { paginate } from "@rollcast/shared/api/page";
import { getImpact } from "@rollcast/shared/api/workload-routes";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import { recordKey } from "@rollcast/shared/subjects";
import { mapLimit } from "@rollcast/async/map-limit";
import { sourceKey } from "../model/content.ts";
import { evaluate } from "../reconcile/evaluate.ts";
import type { SourceReads } from "../reconcile/evaluate.ts";
import { workloadKey } from "../model/workload.ts";
import type { ApiContext } from "./api-context.ts";
import { impactOn } from "./impact.ts";

const CONCURRENCY = 16;
const MAX_KEYS = 100;

function splitKeys(keys: string | undefined): string[] | undefined {
  if (keys === undefined) return undefined;
  const names = keys
    .split(",")
    .map((key) => key.trim())
    .filter((key) => key !== "");
  if (names.length > 0 && names.length <= MAX_KEYS) return names;
  const detail = `keys must name 1 to ${MAX_KEYS} keys, separated by commas`;
  throw new ProblemError(400, "bad-request", detail);
}

/** `GET /v1/impact`. */
export function impactRoute({ ctx }: ApiContext): ApiRoute {
  return serve(getImpact, async ({ query }) => {
    const { kind, namespace, name } = query;
    const keys = splitKeys(query.keys);
    const source = { kind, namespace, name };
    const record = await ctx.sources.get(recordKey(ctx.cluster, source));
    const users = ctx.index.usersOf(sourceKey(kind, namespace, name));
    const page = paginate(users, workloadKey, query);
    const reads: SourceReads = new Map();
    const items = await mapLimit(page.items, CONCURRENCY, async (workload) => {
      const { input } = await evaluate(ctx, workload, true, reads);
      return impactOn(input, source, keys);
    });
    const exists = record !== undefined && record.value.deletedAt === undefined;
    return { ...page, items, source, exists };
  });
}
