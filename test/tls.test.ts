import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openQueue } from "@rollcast/queue/job-queue";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import { createNkey } from "@rollcast/nats/nkey";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { startNats } from "@rollcast/testkit/nats";
import { startRedis } from "@rollcast/testkit/redis-server";
import { expect, test } from "vitest";

const silent = createLogger("test", "silent");

const fixture = (name: string) => join(repositoryRoot(), "test", "fixtures", "tls", name);
/**
 * Signed by itself, for localhost and 127.0.0.1, for servers and clients; its key guards nothing.
 */
const ca = fixture("test.crt");
const key = fixture("test.key");
const OFF = ["--user", "default", "off"];
const APP = ["--user", "app", "on", ">secret", "~*", "+@all"];

test("NATS is met over TLS, with both certificates from files and a seed that is read again after it was rotated", async () => {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-tls-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  const [first, second] = [createNkey(), createNkey()];
  const file = join(dir, "seed");
  await writeFile(file, first.seed);
  const files = { cert_file: ca, key_file: key, ca_file: ca, verify: true };
  const tls = `tls ${JSON.stringify(files)}`;
  const users = `authorization { users: [{ nkey: ${second.publicKey} }, { nkey: ${first.publicKey} }] }`;
  const server = undo.use(await startNats({ config: `${tls}\n${users}` }));
  // The client library checks the name only where it is one.
  const url = server.url.replace("nats://127.0.0.1", "tls://localhost");
  const identity = { url, name: "test", nkey: { file }, tls: { ca, cert: ca, key } };

  const nats = undo.use(await connectNats({ ...identity, logger: silent }));
  expect((await nats.jsm.getAccountInfo()).streams).toBe(0);

  await writeFile(file, second.seed);
  await using again = await connectNats({ ...identity, logger: silent });
  expect(again.fault()).toBeUndefined();
  // Of the system's authorities none has signed it.
  const lines: string[] = [];
  const logger = createLogger("test", "warn", { write: (line) => void lines.push(line) });
  const stop = AbortSignal.timeout(1_500);
  const blind = connectNats({ url, name: "test", nkey: { file }, logger }, stop);
  await expect(blind).rejects.toThrow(/abort/i);
  expect(lines.join("")).toMatch(/self-signed|unable to/i);
});

test("Redis is met over TLS, with both certificates from files, as an ACL user with its password from a file", async () => {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-tls-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, "password");
  await writeFile(file, "secret\n");
  const tls = ["--tls-cert-file", ca, "--tls-key-file", key, "--tls-ca-cert-file", ca];
  const redis = undo.use(
    await startRedis({
      tls: true,
      args: [...tls, ...OFF, ...APP],
    }),
  );
  const options = {
    cluster: "test",
    name: "q",
    logger: silent,
    url: redis.url,
    tls: { ca, cert: ca, key },
  };

  const identity = { username: "app", password: { file } };
  await using queue = await openQueue<number>({ ...options, ...identity });
  await queue.add(1, { id: "a" });
  expect(await queue.counts()).toMatchObject({ waiting: 1 });
});
