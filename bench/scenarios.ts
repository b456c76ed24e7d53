import { combinedMemory, memory } from "./memory/memory.ts";
import { fanOut } from "./rollout/fan-out.ts";
import { latency } from "./rollout/latency.ts";
import type { Scenario } from "./scenario.ts";
import { publish } from "./watcher/publish.ts";
import { sync } from "./watcher/sync.ts";

export const SCENARIOS: readonly Scenario[] = [
  latency,
  fanOut,
  memory,
  combinedMemory,
  publish,
  sync,
];
