import type { Comparison } from "../evidence/evidence.ts";
import { endsOnce, plannedIsEnded, waitsAreTrue } from "./ends.ts";
import { failedIsTrue, succeededIsTrue, supersededIsTrue } from "./outcomes.ts";
import { causeHasChanged, markerIsContent, rolledOnce, startedIsPatched } from "./patches.ts";
import { lastContentRuns, logIsWhole } from "./rest.ts";

/** What is asked of a run. */
export const COMPARISONS: readonly Comparison[] = [
  logIsWhole,
  startedIsPatched,
  causeHasChanged,
  markerIsContent,
  rolledOnce,
  endsOnce,
  succeededIsTrue,
  failedIsTrue,
  supersededIsTrue,
  plannedIsEnded,
  waitsAreTrue,
  lastContentRuns,
];
