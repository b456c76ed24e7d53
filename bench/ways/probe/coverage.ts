import type { Profiler } from "node:inspector";
import type { Inspector } from "./inspector.ts";

/** V8's precise coverage. */
export type Coverage = {
  /**
   * URLs of the files of which a function ran since the last call; one that goes on after an await
   * counts too.
   */
  take(): string[];
};

/** Counts from now on, in the files that `isOurs` names by their URL. */
export function startCoverage({ ask }: Inspector, isOurs: (url: string) => boolean): Coverage {
  ask("Profiler.enable");
  ask("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  return {
    take() {
      const { result } = ask<Profiler.TakePreciseCoverageReturnType>(
        "Profiler.takePreciseCoverage",
      );
      return result
        .filter(({ url }) => isOurs(url))
        .filter(({ functions }) =>
          functions.some(({ ranges: [whole] }) => whole !== undefined && whole.count > 0),
        )
        .map(({ url }) => url);
    },
  };
}
