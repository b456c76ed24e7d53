import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { expect, test } from "vitest";
import { givenWorkload } from "../../test/given.ts";
import { MARKER } from "../model/content.ts";

const fieldsV1 = {
  "f:spec": { "f:template": { "f:metadata": { "f:annotations": { [`f:${MARKER}`]: {} } } } },
};
const MARKED = { [MARKER]: "m" };

test.each([
  { name: "Rollcast wrote is its own", manager: FIELD_MANAGER, present: MARKED, right: true },
  { name: "others wrote is not", manager: "kubectl", present: MARKED, right: undefined },
  {
    // A policy's mutation of their request leaves the fields of managers as they were.
    name: "admission took off is nobody's",
    manager: FIELD_MANAGER,
    present: {},
    right: undefined,
  },
])("a marker that $name", ({ manager, present, right }) => {
  const managedFields = [{ manager, operation: "Update", fieldsV1 }];
  const workload = givenWorkload({ metadata: { managedFields }, templateAnnotations: present });
  expect(workload.ownsMarker).toBe(right);
});
