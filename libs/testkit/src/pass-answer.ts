import type { IncomingMessage, ServerResponse } from "node:http";
import { expiredEvent } from "./fault-rules.ts";
import type { Fault } from "./fault-rules.ts";

/** An answer on its way to the client. */
export type Live = {
  readonly method: string;
  readonly target: string;
  readonly res: ServerResponse;
  readonly answer: IncomingMessage;
  stalled: boolean;
};

const JUNK = "}{ this is no JSON\n";

/** Passes a body on as fast as the client reads; a stalled one waits. */
function passBody(exchange: Live, fault: Fault | undefined): void {
  const { res, answer } = exchange;
  let left = fault?.do === "truncate" ? fault.bytes : Number.POSITIVE_INFINITY;
  answer.on("data", (chunk: Buffer) => {
    if (chunk.length >= left) {
      answer.pause();
      res.write(chunk.subarray(0, left), () => res.socket?.destroy());
      return;
    }
    left -= chunk.length;
    if (res.write(chunk)) return;
    answer.pause();
    res.once("drain", () => {
      if (!exchange.stalled) answer.resume();
    });
  });
  answer.on("end", () => res.end());
  answer.on("error", () => {
    if (!exchange.stalled) res.socket?.resetAndDestroy();
  });
}

/** Brings a change of the rules to an answer under way. */
export function judge(exchange: Live, fault: Fault | undefined): void {
  const { res, answer } = exchange;
  exchange.stalled = fault?.do === "stall";
  if (exchange.stalled) answer.pause();
  else if (answer.errored !== null || fault?.do === "reset") res.socket?.resetAndDestroy();
  else if (fault?.do === "expire") res.end(expiredEvent());
  else {
    if (fault?.do === "garble") res.write(JUNK);
    answer.resume();
  }
}

export function passAnswer(exchange: Live, fault: Fault | undefined): void {
  const { res, answer } = exchange;
  const headers = { ...answer.headers };
  if (fault?.do === "garble") delete headers["content-length"];
  res.writeHead(answer.statusCode ?? 502, headers);
  res.flushHeaders();
  if (fault?.do === "garble") res.write(JUNK);
  passBody(exchange, fault);
  if (fault?.do !== "stall") return;
  exchange.stalled = true;
  answer.pause();
}
