import type { Debugger } from "node:inspector";
import type { Inspector } from "./inspector.ts";

/** In which order files run, of which coverage says only that they do. */
export type FirstUse = {
  /** From the next `begin` on, this file is waited for. */
  add(url: string): void;
  begin(): void;
  /** URLs of the files since `begin`, by when the first of their functions ran or went on. */
  end(): string[];
};

/**
 * By breakpoints, which no client answers, so that the process goes on at once: on every statement,
 * as a function may go on after any of its awaits. The first one that is reached removes those of
 * its file. All that is slow, so that nothing else is to be measured meanwhile.
 */
export function openFirstUse(
  { ask, session }: Inspector,
  isOurs: (url: string) => boolean,
): FirstUse {
  const idByUrl = new Map<string, string>();
  const urlById = new Map<string, string>();
  const locations = new Map<string, readonly Debugger.BreakLocation[]>();
  const breakpoints = new Map<string, string[]>();
  const order = new Set<string>();

  const set = (location: Debugger.BreakLocation): string => {
    const params = { location };
    return ask<Debugger.SetBreakpointReturnType>("Debugger.setBreakpoint", params).breakpointId;
  };
  const clear = (url: string) => {
    for (const breakpointId of breakpoints.get(url) ?? []) {
      ask("Debugger.removeBreakpoint", { breakpointId });
    }
    breakpoints.delete(url);
  };

  session.on("Debugger.scriptParsed", ({ params: { url, scriptId } }) => {
    if (!isOurs(url)) return;
    idByUrl.set(url, scriptId);
    urlById.set(scriptId, url);
  });
  session.on("Debugger.paused", ({ params }) => {
    const url = urlById.get(params.callFrames[0]?.location.scriptId ?? "");
    if (url === undefined) return;
    order.add(url);
    clear(url);
  });
  ask("Debugger.enable");
  return {
    add(url) {
      const scriptId = idByUrl.get(url);
      if (locations.has(url) || scriptId === undefined) return;
      const possible = ask<Debugger.GetPossibleBreakpointsReturnType>(
        "Debugger.getPossibleBreakpoints",
        { start: { scriptId, lineNumber: 0, columnNumber: 0 } },
      );
      locations.set(url, possible.locations);
    },
    begin() {
      order.clear();
      for (const [url, ofFile] of locations) breakpoints.set(url, ofFile.map(set));
    },
    end() {
      for (const url of breakpoints.keys()) clear(url);
      return [...order];
    },
  };
}
