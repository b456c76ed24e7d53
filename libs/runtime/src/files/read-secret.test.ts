import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError } from "@rollcast/shared/errors";
import { SecretRef } from "@rollcast/shared/config/secret-ref";
import { readSecret } from "./read-secret.ts";

const SECRET = "s3cr3t-value";

async function secretFile(content: string | Uint8Array) {
  const dir = await mkdtemp(join(tmpdir(), "rollcast-secret-"));
  const file = join(dir, "secret");
  await writeFile(file, content);
  return {
    file,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

async function faultOf(reading: Promise<string>): Promise<string> {
  const err: unknown = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(err).toBeInstanceOf(ConfigError);
  return (err as ConfigError).message;
}

test("a secret is read from a file without the white space around it", async () => {
  await using made = await secretFile(`\n ${SECRET} with blanks \n`);

  await expect(readSecret({ file: made.file }, {})).resolves.toBe(`${SECRET} with blanks`);
});

test("a secret is read from the environment", async () => {
  await expect(readSecret({ env: "HOOK_KEY" }, { HOOK_KEY: ` ${SECRET}\n` })).resolves.toBe(SECRET);
});

test.each([
  ["empty", "", "is empty"],
  ["only white space", " \n\t", "is empty"],
  ["too large", "x".repeat(65_537), "is larger than 65536 bytes"],
  ["no text", Uint8Array.of(...Buffer.from(SECRET), 0xff, 0xfe), "is not UTF-8 text"],
])("a file that is %s is refused by name", async (_, content, fault) => {
  await using made = await secretFile(content);

  const message = await faultOf(readSecret({ file: made.file }, {}));

  expect(message).toBe(`secret file ${made.file} ${fault}`);
  expect(message).not.toContain(SECRET);
});

test("a secret of exactly the largest size is taken", async () => {
  await using made = await secretFile("x".repeat(65_536));

  await expect(readSecret({ file: made.file }, {})).resolves.toHaveLength(65_536);
});

test("what is missing is named", async () => {
  const missing = join(tmpdir(), "rollcast-no-such-file");

  expect(await faultOf(readSecret({ file: missing }, {}))).toBe(
    `secret file ${missing} cannot be read: no such file or directory (ENOENT)`,
  );
  expect(await faultOf(readSecret({ file: missing }, {}, "redis.password"))).toMatch(
    `redis.password: secret file ${missing} cannot be read`,
  );
  expect(await faultOf(readSecret({ file: tmpdir() }, {}))).toContain("cannot be read");
  expect(await faultOf(readSecret({ env: "HOOK_KEY" }, {}))).toBe(
    "environment variable HOOK_KEY is not set",
  );
  expect(await faultOf(readSecret({ env: "HOOK_KEY" }, { HOOK_KEY: " " }))).toBe(
    "environment variable HOOK_KEY is empty",
  );
});

const FORM = "must be { file: PATH } or { env: NAME }";

test.each([
  ["a text, which could be the secret itself", SECRET, FORM],
  ["nothing", {}, FORM],
  ["both", { file: "/a", env: "B" }, "Unrecognized key"],
  ["an unknown key", { file: "/a", key: "b" }, "Unrecognized key"],
  ["an empty path", { file: "" }, "Too small"],
  ["a name that no environment has", { env: "a-b" }, "must be the name of an environment variable"],
])("a reference that is %s is refused, with what it must be", (_, value, fault) => {
  const { success, error } = SecretRef.safeParse(value);

  expect(success).toBe(false);
  expect(JSON.stringify(error?.issues)).toContain(fault);
  expect(JSON.stringify(error?.issues)).not.toContain(SECRET);
});
