import { expect, test } from "vitest";
import { NOTIFIER_INFO } from "@rollcast/shared/api/receiver-routes";
import { openApiDocument } from "@rollcast/shared/api/openapi";
import { notifierRoutes } from "./start-api.ts";
import type { ApiParts } from "./start-api.ts";

test("the OpenAPI document matches the schemas; after a change run: pnpm vitest run --project unit -u", async () => {
  const specs = notifierRoutes({ ctx: {} } as ApiParts).map(({ spec }) => spec);
  const document = openApiDocument(NOTIFIER_INFO, specs);
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../../../docs/openapi/notifier.json");
});
