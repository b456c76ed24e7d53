import type { AlertScenario } from "../world/alert-scenario.ts";
import { down } from "./down.ts";
import { moved } from "./moved.ts";
import { oldLetters } from "./old-letters.ts";
import { quiet } from "./quiet.ts";
import { receivers } from "./receivers.ts";
import { redis } from "./redis.ts";
import { refused } from "./refused.ts";
import { replaced } from "./replaced.ts";
import { rollouts } from "./rollouts.ts";
import { watcher } from "./watcher.ts";
import { workloads } from "./workloads.ts";

export const ALERT_SCENARIOS: readonly AlertScenario[] = [
  quiet,
  refused,
  rollouts,
  workloads,
  receivers,
  oldLetters,
  watcher,
  down,
  redis,
  moved,
  replaced,
];
