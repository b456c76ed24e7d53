import type { StatusView } from "@rollcast/shared/api/workload-routes";
import { expect, test } from "vitest";
import { checkApi } from "./check-api.ts";

const STATUS: StatusView = {
  cluster: "prod",
  mode: "active",
  instance: "restarter-1",
  faults: [],
  workloads: 2,
  mayRoll: 2,
  states: {},
};

test("another installation on the same workloads is a finding, with both keys and what to do", () => {
  const first = { kind: "Deployment", namespace: "shop", name: "web" };
  const otherInstallations = [{ keyId: "k9", ownKeyId: "k1", workloads: 2, first }];

  const findings = checkApi({ ...STATUS, otherInstallations });

  const finding = findings.find(({ about }) => about === "installation");
  expect(finding?.what).toContain("key k9, this one's k1");
  expect(finding?.what).toContain("shop/deployment/web");
  expect(finding?.todo).toContain("installationKey.earlierIds");
  expect(checkApi(STATUS).find(({ about }) => about === "installation")).toBeUndefined();
});
