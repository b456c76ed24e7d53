import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Integration tests mostly wait for real servers: two files at once even on two cores.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{libs,services,jobs,examples}/*/src/**/*.test.ts",
            "cli/src/**/*.test.ts",
            "{bench,scripts}/**/*.test.ts",
            "services/*/test/model/**/*.test.ts",
          ],
          // None takes a second on a quiet machine; a busy one must not fail a test for being busy.
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: "integration",
          include: [
            "{libs,services,jobs,examples}/*/test/**/*.test.ts",
            "test/*.test.ts",
            "test/cases/*.test.ts",
          ],
          exclude: ["**/node_modules/**", "services/*/test/model/**"],
          globalSetup: ["./libs/testkit/src/global-setup.ts"],
          // Several times what the slowest takes: a busy machine must not fail it for being busy.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Stories in namespaces of their own mostly wait for each other's controllers.
          maxConcurrency: 10,
        },
      },
      {
        test: {
          name: "containers",
          include: ["test/containers/**/*.test.ts"],
          // One engine, one set of ports.
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
