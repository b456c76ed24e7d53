import { RollcastEvent } from "@rollcast/shared/events";
import { expect, test } from "vitest";
import { createDemoExpectation } from "./demo-expectation.ts";

function ended(word: "succeeded" | "failed", name: string, namespace = "demo"): RollcastEvent {
  return RollcastEvent.parse({
    specversion: "1.0",
    id: "1",
    source: "/rollcast/local/restarter",
    subject: `Deployment/${namespace}/${name}`,
    time: "2026-01-01T12:00:01.204Z",
    type: `dev.rollcast.rollout.${word}.v1`,
    data: {
      workload: { kind: "Deployment", namespace, name, uid: "u" },
      reason: word === "failed" ? "ProgressDeadlineExceeded" : undefined,
    },
  });
}

async function outcome(happened: Promise<void>): Promise<string> {
  const settled = happened.then(
    () => "happened",
    (err: unknown) => String(err),
  );
  return Promise.race([settled, new Promise<string>((resolve) => setImmediate(resolve, "waits"))]);
}

test("the demo has happened when both Deployments are healthy and a signed message came", async () => {
  const expectation = createDemoExpectation();
  expectation.begin();
  expectation.onEvent(ended("succeeded", "web"));
  expectation.onEvent(ended("succeeded", "api"));
  expect(await outcome(expectation.happened)).toBe("waits");
  expectation.onDelivery({ title: "Rolled out" });
  expect(await outcome(expectation.happened)).toBe("happened");
});

test("what was before, and what belongs to others, does not count", async () => {
  const expectation = createDemoExpectation();
  expectation.onEvent(ended("succeeded", "web"));
  expectation.onDelivery({});
  expectation.begin();
  expectation.onDelivery({});
  expectation.onEvent(ended("succeeded", "api"));
  expectation.onEvent(ended("succeeded", "web", "elsewhere"));
  expectation.onDelivery({});
  expect(await outcome(expectation.happened)).toBe("waits");
});

test("a failed rollout and a wrong signature end it with the reason", async () => {
  const failed = createDemoExpectation();
  failed.begin();
  failed.onEvent(ended("failed", "web"));
  expect(await outcome(failed.happened)).toMatch(/demo\/web failed: ProgressDeadlineExceeded/);

  const forged = createDemoExpectation();
  forged.onDelivery({ fault: "No matching signature found" });
  expect(await outcome(forged.happened)).toMatch(/signature is wrong: No matching/);
});
