import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startProcess } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import type { Passage, ProbeOptions } from "../passage.ts";

/** A service whose loop goes on in a function, and which loads files in another order. */
const SOURCES = {
  "services/x/main.ts": `
    import { connect } from "node:net";
    import { answer } from "./answer.ts";
    import { createLoop } from "./loop.ts";
    import { unused } from "./unused.ts";
    const socket = connect(Number(process.env.PORT), "127.0.0.1");
    const loop = createLoop((bytes: string) => socket.write(answer(bytes)));
    unused();
    socket.on("data", (bytes: Buffer) => loop(String(bytes)));`,
  "services/x/loop.ts": `
    export function createLoop(handle: (bytes: string) => void) {
      let next = Promise.withResolvers<string>();
      const run = async () => {
        for (;;) {
          const bytes = await next.promise;
          next = Promise.withResolvers<string>();
          handle(bytes);
        }
      };
      void run();
      return (bytes: string) => next.resolve(bytes);
    }`,
  "services/x/answer.ts": `
    import { word } from "./word.ts";
    export const answer = (bytes: string) => bytes.startsWith("change") ? word() : "other";`,
  "services/x/word.ts": `export const word = () => "went on";`,
  "services/x/unused.ts": `export function unused() {}`,
};

async function startFixture(port: number, undisturbed: number, passages: Passage[]) {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "rollcast-probe-")));
  await mkdir(join(dir, "services", "x"), { recursive: true });
  for (const [file, source] of Object.entries(SOURCES)) await writeFile(join(dir, file), source);
  const root = `${pathToFileURL(dir).href}/`;
  const options: ProbeOptions = { root, begin: "^change", end: "^went on", undisturbed };
  const args = [`--import=${join(import.meta.dirname, "probe.ts")}`, `${dir}/services/x/main.ts`];
  const running = await startProcess(process.execPath, args, {
    env: { PORT: String(port), WAY: JSON.stringify(options) },
    onLine: (line) => {
      if (line.startsWith("{")) passages.push(JSON.parse(line) as Passage);
    },
  });
  return {
    async [Symbol.asyncDispose]() {
      await running.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

test("the probe logs what ran between a change's bytes, and then in which order", async () => {
  await using undo = new AsyncDisposableStack();
  const server = createServer().listen(0, "127.0.0.1");
  undo.defer(() => void server.close());
  await once(server, "listening");
  const passages: Passage[] = [];
  const { port } = server.address() as AddressInfo;
  const connected = once(server, "connection");
  undo.use(await startFixture(port, 1, passages));
  const [socket] = (await connected) as [Socket];

  for (const bytes of ["change 1", "noise", "change 2"]) {
    const before = passages.length;
    const answered = once(socket, "data");
    socket.write(bytes);
    await answered;
    if (bytes !== "noise") await waitFor(() => passages.length > before, { message: bytes });
  }

  const names = ["main", "loop", "answer", "word"].map((name) => `services/x/${name}.ts`);
  expect(passages.map(({ isOrdered }) => isOrdered)).toEqual([false, true]);
  expect(passages[0]?.files.toSorted()).toEqual(names.toSorted());
  expect(passages[1]?.files).toEqual(names);
});
