import { openApiDocument } from "@rollcast/shared/api/openapi";
import { RESTARTER_INFO } from "@rollcast/shared/api/workload-routes";
import { expect, test } from "vitest";
import type { ApiContext } from "./api-context.ts";
import { restarterRoutes } from "./start-api.ts";

test("the document in docs matches the schemas; after changing them: pnpm vitest run --project unit -u", async () => {
  const specs = restarterRoutes({ ctx: {} } as ApiContext).map(({ spec }) => spec);
  const text = `${JSON.stringify(openApiDocument(RESTARTER_INFO, specs), undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../../../docs/openapi/restarter.json");
});
