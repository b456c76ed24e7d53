// Loaded into a service by --import: logs the files that ran for each change that passes, between
// the bytes that bring it and the bytes by which it goes on.
import process from "node:process";
import { Session } from "node:inspector";
import type { Debugger, Profiler } from "node:inspector";
import { Socket } from "node:net";
import type { Passage, ProbeOptions } from "../passage.ts";

const options = JSON.parse(process.env.WAY ?? "") as ProbeOptions;
const begin = new RegExp(options.begin);
const end = new RegExp(options.end);
const isOurs = (url: string) =>
  url.startsWith(options.root) && /^(?:services|libs)\//.test(url.slice(options.root.length));
const inspector = openInspector();
const coverage = startCoverage(inspector, isOurs);
const firstUse = openFirstUse(inspector, isOurs);
let passages = 0;
let isUnderWay = false;

watchBytes({
  onRead(bytes) {
    if (isUnderWay || !begin.test(bytes)) return;
    isUnderWay = true;
    passages++;
    if (passages > options.undisturbed) firstUse.begin();
    coverage.take();
  },
  onWrite(bytes) {
    if (!isUnderWay || !end.test(bytes)) return;
    isUnderWay = false;
    const ran = coverage.take();
    const isOrdered = passages > options.undisturbed;
    const order = isOrdered ? firstUse.end() : [];
    for (const url of ran) firstUse.add(url);
    const urls = isOrdered ? order : ran;
    const passage: Passage = {
      isOrdered,
      files: urls.map((url) => url.slice(options.root.length)),
    };
    process.stdout.write(`${JSON.stringify({ level: "info", msg: "way", ...passage })}\n`);
  },
});

/** V8's precise coverage. */
export type Coverage = {
  /**
   * URLs of the files of which a function ran since the last call; one that goes on after an await
   * counts too.
   */
  take(): string[];
};

/** Counts from now on, in the files that `isOurs` names by their URL. */
function startCoverage({ ask }: Inspector, isOurs: (url: string) => boolean): Coverage {
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

/** In which order files run, of which coverage says only that they do. */
type FirstUse = {
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
function openFirstUse({ ask, session }: Inspector, isOurs: (url: string) => boolean): FirstUse {
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

/** What passes a socket of this process, in plain text also where the connection has TLS. */
type ByteWatcher = {
  /** Called before the bytes are passed on to whoever reads them. */
  onRead(bytes: string): void;
  /** Called as the bytes are written. */
  onWrite(bytes: string): void;
};

type Chunk = Buffer | string;
type Prototype = {
  push(chunk: Chunk | null, ...rest: unknown[]): boolean;
  _write(chunk: Chunk, ...rest: unknown[]): void;
  _writev(chunks: readonly { readonly chunk: Chunk }[], ...rest: unknown[]): void;
};

function textOf(chunk: Chunk): string {
  return typeof chunk === "string" ? chunk : chunk.toString("latin1");
}

/**
 * Watches every socket from now on. A TLS socket takes the bytes from the connection's handle, so
 * that the socket beneath it passes none.
 */
function watchBytes(watcher: ByteWatcher): void {
  const prototype = Socket.prototype as unknown as Prototype;
  const { push, _write, _writev } = prototype;
  prototype.push = function watchedPush(chunk, ...rest) {
    if (chunk !== null) watcher.onRead(textOf(chunk));
    return push.call(this, chunk, ...rest);
  };
  prototype._write = function watchedWrite(chunk, ...rest) {
    watcher.onWrite(textOf(chunk));
    _write.call(this, chunk, ...rest);
  };
  prototype._writev = function watchedWritev(chunks, ...rest) {
    watcher.onWrite(chunks.map(({ chunk }) => textOf(chunk)).join(""));
    _writev.call(this, chunks, ...rest);
  };
}

/** V8's inspector, for the thread that asks. */
type Inspector = {
  readonly session: Session;
  /** Asks and returns the answer. Throws where V8 refuses. */
  ask<T>(method: string, params?: object): T;
};

function openInspector(): Inspector {
  const session = new Session();
  session.connect();
  return {
    session,
    // For its own thread, V8 has called back when `post` returns.
    ask<T>(method: string, params: object = {}): T {
      let answer: { readonly err: Error | null; readonly result?: object } | undefined;
      session.post(method, params, (err, result) => {
        answer = { err, result };
      });
      if (answer === undefined) throw new Error(`${method} was not answered at once`);
      if (answer.err !== null) throw new Error(`${method}: ${JSON.stringify(answer.err)}`);
      return answer.result as T;
    },
  };
}
