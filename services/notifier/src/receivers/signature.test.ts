import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { signatureHeaders, signingKey } from "./http-receiver.ts";

test.each([
  {
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    signed: {
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
    },
    signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  },
  {
    secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    signed: {
      id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
      timestamp: 1_649_367_553,
      body: '{"email":"test@example.com","username":"test_user"}',
    },
    signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
  },
])("signs the known message $signed.id", ({ secret, signed, signature }) => {
  expect(signatureHeaders(signed, [signingKey(secret)])).toEqual({
    "webhook-id": signed.id,
    "webhook-timestamp": String(signed.timestamp),
    "webhook-signature": signature,
  });
});

test("the specification's library accepts every body, with the old and the new secret", () => {
  const secret = fc.uint8Array({ minLength: 24, maxLength: 64 }).map((bytes) => {
    return `whsec_${Buffer.from(bytes).toString("base64")}`;
  });
  const timestamp = Math.floor(Date.now() / 1_000);
  fc.assert(
    fc.property(secret, secret, fc.json(), fc.uuid(), (old, unposted, body, id) => {
      const headers = signatureHeaders({ id, timestamp, body }, [old, unposted].map(signingKey));
      expect(() => new Webhook(old).verify(body, headers)).not.toThrow();
      expect(() => new Webhook(unposted).verify(body, headers)).not.toThrow();
      const mine = new Webhook(unposted).sign(id, new Date(timestamp * 1_000), body);
      expect(headers["webhook-signature"]?.split(" ")[1]).toBe(mine);
    }),
  );
});

test("without a secret there is no signature", () => {
  expect(signatureHeaders({ id: "a", timestamp: 1, body: "" }, [])).not.toHaveProperty(
    "webhook-signature",
  );
});

test.each([
  { name: "no prefix", secret: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
  { name: "no base64", secret: "whsec_%%%%" },
  { name: "empty", secret: "whsec_" },
  { name: "23 bytes", secret: `whsec_${Buffer.alloc(23, 1).toString("base64")}` },
  { name: "65 bytes", secret: `whsec_${Buffer.alloc(65, 1).toString("base64")}` },
])("refuses a secret with $name, without showing it", ({ secret }) => {
  let message = "";
  try {
    signingKey(secret);
  } catch (err) {
    message = String(err);
  }
  expect(message).toContain("a signing secret must");
  expect(message.replace("whsec_ followed", "")).not.toContain(secret);
});
