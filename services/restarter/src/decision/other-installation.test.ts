import { expect, test } from "vitest";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import { MARKER, contentDigest, formatMarker } from "../model/content.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { patchedRecord } from "./applied.ts";
import { withRequest } from "./rollout.ts";
import { decide } from "./decide.ts";
import type { Decision, DecisionInput } from "./decision.ts";

const annotations = { "rollcast.dev/auto": "true" };

/** The marker of the installation with this key for the source with this content. */
function marker(content: string, keyId: string): string {
  return formatMarker(
    { [CFG]: { digest: contentDigest(givenSource(content, { keyId }), "*") } },
    "shop",
  );
}

/** The Deployment at rest with a marker that Rollcast wrote, ours or another. */
function marked(generation: number, text: string): DecisionInput["workload"] {
  const workload = givenWorkload({
    annotations,
    templateAnnotations: { [MARKER]: text },
    metadata: { generation },
  });
  return { ...workload, ownsMarker: true, status: { state: "complete" } };
}

function situation(record: WorkloadRecord | undefined, content: string, workload = marked(1, "")) {
  const sources = new Map([[CFG, givenSource(content, { changedAt: T0 - 1_000 })]]);
  return givenSituation({ record, workload, sources });
}

function recordOf(decision: Decision): WorkloadRecord {
  if (decision.do === "requeue") throw new Error("no decision");
  return decision.record;
}

/** Our rollout of the content `bb`, patched and under way. */
function rolling(): WorkloadRecord {
  const adopted = recordOf(decide(situation(undefined, "aa")));
  const decision = decide(situation(adopted, "bb"));
  if (decision.do !== "roll") throw new Error("does not roll");
  const { rollout } = decision.record;
  const s = situation(decision.record, "bb", marked(2, rollout.marker));
  return patchedRecord(s, decision.record, rollout, 2);
}

test("another installation's rollout ends ours, names both, and leaves nothing to roll", () => {
  const decision = decide(situation(rolling(), "bb", marked(3, marker("bb", "k9"))));

  expect(decision.do).toBe("keep");
  const [end] = recordOf(decision).outbox;
  expect(end).toMatchObject({ outcome: "superseded", data: { reason: "OtherInstallation" } });
  expect(end?.data.message).toContain("with the key k9");
  expect(end?.data.message).toContain("the key of this one is k1");
});

test("a later rollout of our own that the record does not have is no other installation's", () => {
  const decision = decide(situation(rolling(), "bb", marked(3, marker("cc", "k1"))));

  expect(recordOf(decision).outbox).toMatchObject([{ data: { reason: "NewerContent" } }]);
});

test("content that the other installation rolled first is rolled once by us, under a marker that no earlier pods have", () => {
  const adopted = recordOf(decide(situation(undefined, "aa")));
  const decision = decide(situation(adopted, "bb", marked(2, marker("bb", "k9"))));

  if (decision.do !== "roll") throw new Error("does not roll");
  const { rollout } = decision.record;
  expect(rollout.marker).not.toBe(marker("bb", "k1"));
  expect(rollout.marker).toContain(marker("bb", "k1").slice(1, -1));
});

test("a request in the middle of both rollouts leaves no pod of ours as it is", () => {
  const record = rolling();
  const wanted = withRequest(record, { id: "request-1", by: "ann", at: T0 });
  const present = { ...marked(3, marker("bb", "k9")), status: { state: "progressing" } } as const;
  const decision = decide(situation(wanted, "bb", present));

  if (decision.do !== "roll") throw new Error("does not roll");
  expect(decision.record.rollout.marker).not.toBe(record.rollout?.marker);
});

test("without a record, as after an installation with a new key, the present content is adopted", () => {
  const decision = decide(situation(undefined, "bb", marked(2, marker("aa", "k9"))));

  expect(decision.do).toBe("keep");
  const present = contentDigest(givenSource("bb"), "*");
  expect(recordOf(decision).running[CFG]?.digest).toBe(present);
});
