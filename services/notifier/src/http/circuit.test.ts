import { expect, test } from "vitest";
import { createCircuit } from "./circuit.ts";
import type { Circuit } from "./circuit.ts";
import type { SendResult } from "./classify-answer.ts";

const FAILED: SendResult = { kind: "failed", reason: "Network", message: "" };
const SENT: SendResult = { kind: "sent" };

function tried(circuit: Circuit, result: SendResult, now: number, times = 1): void {
  for (let i = 0; i < times; i++) {
    expect(circuit.enter(now)).toBe("go");
    circuit.leave(result, now);
  }
}

test("five consecutive failures open it, four and a success do not", () => {
  const circuit = createCircuit();
  tried(circuit, FAILED, 0, 4);
  tried(circuit, SENT, 0);
  tried(circuit, FAILED, 0, 4);
  expect(circuit.state()).toBe("closed");
  expect(circuit.fault()).toBeUndefined();
  tried(circuit, FAILED, 0);
  expect(circuit.state()).toBe("open");
  expect(circuit.fault()).toBe("Network");
  expect(circuit.enter(10_000)).toBe(20_000);
});

test("after its time one probe passes; success closes it, failure doubles the time", () => {
  const circuit = createCircuit();
  tried(circuit, FAILED, 0, 5);
  expect(circuit.enter(30_000)).toBe("go");
  expect(circuit.enter(30_000)).toBeGreaterThan(0);
  circuit.leave(FAILED, 30_000);
  expect(circuit.enter(30_000)).toBe(60_000);
  tried(circuit, SENT, 90_000);
  expect(circuit.state()).toBe("closed");
  expect(circuit.fault()).toBeUndefined();
  tried(circuit, FAILED, 100_000, 5);
  expect(circuit.enter(100_000)).toBe(30_000);
});

test("an aborted probe allows another one, and the time is bounded", () => {
  const circuit = createCircuit();
  tried(circuit, FAILED, 0, 5);
  expect(circuit.enter(30_000)).toBe("go");
  circuit.leave(undefined, 30_000);
  expect(circuit.enter(30_000)).toBe("go");
  circuit.leave(FAILED, 30_000);
  let now = 30_000;
  for (let i = 0; i < 20; i++) {
    const wait = circuit.enter(now);
    expect(wait).toBeLessThanOrEqual(900_000);
    now += Number(wait);
    tried(circuit, FAILED, now);
  }
});

test("a receiver that asks for a pause or refuses a message counts as up", () => {
  const circuit = createCircuit();
  tried(circuit, FAILED, 0, 4);
  tried(circuit, { kind: "later", delayMs: 1, reason: "Throttled" }, 0, 10);
  tried(circuit, { kind: "refused", reason: "BadRequest", message: "" }, 0);
  tried(circuit, FAILED, 0, 4);
  expect(circuit.state()).toBe("closed");
});

test.each([
  { reason: "CertificateNotTrusted", fault: "CertificateNotTrusted" },
  { reason: "Unauthorized", fault: "Unauthorized" },
  // The next message may be taken.
  { reason: "TooLarge", fault: undefined },
])("after a refusal, $reason, the fault of the receiver is $fault", ({ reason, fault }) => {
  const circuit = createCircuit();
  tried(circuit, { kind: "refused", reason, message: "" }, 0);
  expect([circuit.state(), circuit.fault()]).toEqual(["closed", fault]);
  tried(circuit, FAILED, 0);
  expect(circuit.fault()).toBe(fault);
  tried(circuit, SENT, 0);
  expect(circuit.fault()).toBeUndefined();
});

test("410 makes the receiver gone", () => {
  const circuit = createCircuit();
  tried(circuit, { kind: "refused", reason: "Gone", message: "" }, 0);
  expect(circuit.enter(1e12)).toBe("gone");
  expect(circuit.fault()).toBe("Gone");
});
