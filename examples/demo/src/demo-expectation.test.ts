import { RollcastEvent } from "@rollcast/shared/events";
import { expect, test } from "vitest";
import { createWitness } from "./demo-expectation.ts";

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
  const witness = createWitness();
  witness.begin();
  witness.onEvent(ended("succeeded", "web"));
  witness.onEvent(ended("succeeded", "api"));
  expect(await outcome(witness.happened)).toBe("waits");
  witness.onDelivery({ title: "Rolled out" });
  expect(await outcome(witness.happened)).toBe("happened");
});

test("what was before, and what belongs to others, does not count", async () => {
  const witness = createWitness();
  witness.onEvent(ended("succeeded", "web"));
  witness.onDelivery({});
  witness.begin();
  witness.onDelivery({});
  witness.onEvent(ended("succeeded", "api"));
  witness.onEvent(ended("succeeded", "web", "elsewhere"));
  witness.onDelivery({});
  expect(await outcome(witness.happened)).toBe("waits");
});

test("a failed rollout and a wrong signature end it with the reason", async () => {
  const failed = createWitness();
  failed.begin();
  failed.onEvent(ended("failed", "web"));
  expect(await outcome(failed.happened)).toMatch(/demo\/web failed: ProgressDeadlineExceeded/);

  const forged = createWitness();
  forged.onDelivery({ fault: "No matching signature found" });
  expect(await outcome(forged.happened)).toMatch(/signature is wrong: No matching/);
});
