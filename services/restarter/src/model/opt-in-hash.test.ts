import { expect, test } from "vitest";
import { givenWorkload } from "../../test/given.ts";
import { optInHash } from "./content.ts";

// Records have it: with another one, a source that newly counts is adopted and not rolled.
test("the hash of the opt-in is that of versions before", () => {
  const annotations = {
    "rollcast.dev/auto": "true",
    "configmap.rollcast.dev/reload": "cfg,app-.*",
    "secret.rollcast.dev/exclude": "plain",
  };

  expect(optInHash(givenWorkload({ annotations }))).toBe("595f0a5cebc051467e8c394e46404190");
});
