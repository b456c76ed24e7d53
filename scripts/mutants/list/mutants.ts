import type { Mutant } from "./mutant.ts";
import { ALERT_MUTANTS } from "./alerts.ts";
import { ANNOTATION_MUTANTS } from "./annotations.ts";
import { ANSWER_MUTANTS } from "./answers.ts";
import { EARLY_END_MUTANTS } from "./early-ends.ts";
import { EDIT_TIME_MUTANTS } from "./edit-time.ts";
import { GAP_MUTANTS } from "./gaps.ts";
import { INSTALLATION_MUTANTS } from "./installations.ts";
import { MARKER_MUTANTS } from "./marker.ts";
import { OPERATION_MUTANTS } from "./operations.ts";
import { PARKED_MUTANTS } from "./parked.ts";
import { READABLE_MUTANTS } from "./readable.ts";
import { RUNNING_CONTENT_MUTANTS } from "./running-content.ts";
import { RECEIVER_MUTANTS } from "./receivers.ts";
import { STATUS_MUTANTS } from "./statuses.ts";
import { UNKNOWN_RESULT_MUTANTS } from "./unknown-results.ts";
import { JOB_RESULT_MUTANTS } from "./job-results.ts";
import { OWNED_WORK_MUTANTS } from "./owned-work.ts";

/** Every guarantee that can be undone, by theme. */
export const MUTANTS: readonly Mutant[] = [
  ...ANSWER_MUTANTS,
  ...ALERT_MUTANTS,
  ...ANNOTATION_MUTANTS,
  ...UNKNOWN_RESULT_MUTANTS,
  ...JOB_RESULT_MUTANTS,
  ...OWNED_WORK_MUTANTS,
  ...MARKER_MUTANTS,
  ...INSTALLATION_MUTANTS,
  ...OPERATION_MUTANTS,
  ...GAP_MUTANTS,
  ...EARLY_END_MUTANTS,
  ...RUNNING_CONTENT_MUTANTS,
  ...EDIT_TIME_MUTANTS,
  ...STATUS_MUTANTS,
  ...RECEIVER_MUTANTS,
  ...READABLE_MUTANTS,
  ...PARKED_MUTANTS,
];
