import { createLogger } from "@rollcast/runtime/logger";

/** The logger of a measurement: it says nothing. */
export const silent = createLogger("bench", "silent");
