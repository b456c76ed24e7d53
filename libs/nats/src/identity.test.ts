import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError } from "@rollcast/shared/errors";
import { openIdentity, readSeed } from "./identity.ts";
import { createNkey } from "./nkey.ts";

const dir = mkdtempSync(join(tmpdir(), "rollcast-identity-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

const { seed, publicKey } = createNkey();

test.each([
  ["alone", seed],
  ["with white space", `\n  ${seed} \n\n`],
  ["as nk writes it", `${seed}\n${publicKey}\n`],
  ["as nsc writes it", `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`],
])("a seed is found in its file: %s", (name, text) => {
  expect(new TextDecoder().decode(readSeed(file(name, text)))).toBe(seed);
});

test.each([
  ["nothing", ""],
  ["a public key", publicKey],
  ["an account's seed", seed.replace(/^SU/, "SA")],
  ["half a seed", seed.slice(0, 40)],
])("no seed of a user: %s", (name, text) => {
  const path = file(name, text);
  expect(() => readSeed(path)).toThrow(ConfigError);
  expect(() => readSeed(path)).toThrow(`${path} holds no nkey seed of a user`);
  // Whatever is in there may be somebody's key.
  if (text !== "") expect(() => readSeed(path)).not.toThrow(text);
});

test("a file that is missing is named", () => {
  const path = join(dir, "none");
  const fault = `${path} cannot be read: no such file or directory (ENOENT)`;
  expect(() => openIdentity({ nkey: { file: path } }, false)).toThrow(`nats.nkey.file: ${fault}`);
  for (const key of ["ca", "cert", "key"]) {
    expect(() => openIdentity({ tls: { [key]: path } }, true)).toThrow(`nats.tls.${key}: ${fault}`);
  }
});

test("TLS is asked for by the URL or by a file, and by nothing else", () => {
  const ca = file("ca", "x");
  expect(openIdentity({}, false)).toEqual({});
  expect(openIdentity({}, true)).toEqual({ tls: {} });
  expect(openIdentity({ tls: { ca, cert: ca, key: ca } }, false)).toEqual({
    tls: { caFile: ca, certFile: ca, keyFile: ca },
  });
});
