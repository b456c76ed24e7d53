import { combinedMemory, memory } from "./scenarios/memory/memory.ts";
import { fanOut } from "./scenarios/rollout/fan-out.ts";
import { latency } from "./scenarios/rollout/latency.ts";
import type { Scenario } from "./lab/scenario.ts";
import { publish } from "./scenarios/watcher/publish.ts";
import { sync } from "./scenarios/watcher/sync.ts";

export const SCENARIOS: readonly Scenario[] = [
  latency,
  fanOut,
  memory,
  combinedMemory,
  publish,
  sync,
];
