import { readFile } from "node:fs/promises";
import { join } from "node:path";
import specs from "@asyncapi/specs";
import { asyncApiDocument } from "@rollcast/shared/asyncapi";
import { eventOutcome } from "@rollcast/shared/events";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { setKey, startStack } from "./stack.ts";

type Document = {
  channels: Record<string, { address: string; messages: Record<string, { $ref: string }> }>;
  components: { messages: Record<string, { payload: { schema: object } }> };
};

const FILE = join(repositoryRoot(), "docs", "asyncapi.json");
const checkedIn = async () => JSON.parse(await readFile(FILE, "utf8")) as Document;

function ajv(): Ajv {
  const made = new Ajv({ strict: false, allErrors: true, logger: false });
  addFormats.default(made);
  return made;
}

test("docs/asyncapi.json is made of the schemas: `pnpm run docs` renews it", async () => {
  expect(await checkedIn()).toEqual(JSON.parse(JSON.stringify(asyncApiDocument("1.0.0"))));
});

test("it is a document of AsyncAPI 3.1 whose references lead somewhere", async () => {
  const document = await checkedIn();
  const { definitions, ...schema } = specs.schemas["3.1.0"] as {
    definitions: Record<string, object>;
  };
  // The validator has its own copy of this one.
  const { "http://json-schema.org/draft-07/schema": _, ...others } = definitions;
  const validate = ajv().compile({ ...schema, definitions: others });
  expect([validate(document), validate.errors]).toEqual([true, null]);
  const text = JSON.stringify(document);
  for (const [, pointer = ""] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const target = pointer
      .split("/")
      .reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], document);
    expect(target, pointer).toBeDefined();
  }
});

test("every event of a run is as the document says, on a subject of its channel", async () => {
  await using stack = await startStack();
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "1" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("sent", "hook");

  const { components } = await checkedIn();
  const outcomes = new Set<string>();
  for (const event of await stack.events()) {
    const { domain, outcome } = eventOutcome(event.type);
    const validate = ajv().compile(components.messages[domain]?.payload.schema ?? false);
    expect([validate(event), validate.errors], event.type).toEqual([true, null]);
    const broken = { ...event, type: "dev.rollcast.other.v1" };
    expect(validate(broken), "a check that takes anything checks nothing").toBe(false);
    outcomes.add(`${domain}.${outcome}`);
  }
  expect([...outcomes].toSorted()).toEqual([
    "notification.sent",
    "rollout.planned",
    "rollout.started",
    "rollout.succeeded",
    "source.changed",
    "source.created",
  ]);
});
