import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { checkoutImages } from "@rollcast/testkit/base-images";
import { describe, expect, test } from "vitest";

const run = promisify(execFile);
const IMAGES = await checkoutImages();

async function docker(...args: readonly string[]): Promise<string> {
  return (await run("docker", args)).stdout.trim();
}

/** The one of the images this checkout is built from whose name begins with `prefix`. */
function image(prefix: string): string {
  const images = IMAGES.filter((name) => name.startsWith(prefix));
  expect(images, prefix).toHaveLength(1);
  return images[0] ?? "";
}

/** Whether a text holds a version that is `floor` or newer. */
function atLeast(text: string, floor: string): boolean {
  const [version = ""] = /\d+\.\d+\.\d+/.exec(text) ?? [];
  return version.localeCompare(floor, "en", { numeric: true }) >= 0;
}

async function inspect(name: string, field: string): Promise<unknown> {
  return JSON.parse(await docker("image", "inspect", "--format", `{{json .${field}}}`, name));
}

test("the engine answers, and so do compose and buildx", async () => {
  expect(await docker("info", "--format", "{{.ServerVersion}}")).toMatch(/^\d+\.\d+/);
  expect(atLeast(await docker("compose", "version", "--short"), "2.20.0")).toBe(true);
  expect(atLeast(await docker("buildx", "version"), "0.11.0")).toBe(true);
});

test.each(IMAGES)("%s is there", async (name) => {
  expect(await docker("image", "inspect", "--format", "{{.Os}}", name)).toBe("linux");
});

describe("what an image does", () => {
  test("the one in which images are built runs Node and npm", async () => {
    const name = image("node:");
    expect(atLeast(await docker("run", "--rm", name, "--version"), "24.12.0")).toBe(true);
    expect(atLeast(await docker("run", "--rm", name, "npm", "--version"), "10.0.0")).toBe(true);
    expect(await docker("run", "--rm", name, "id", "-u", "node")).toBe("1000");
  });

  test("the one of the services runs Node as another user than root, and has no shell", async () => {
    const name = image("gcr.io/distroless/");
    const program =
      "process.stdout.write([process.getuid(), process.cwd(), process.version].join())";
    const [user, folder, version = ""] = (await docker("run", "--rm", name, "-e", program)).split(
      ",",
    );
    expect([user, folder]).toEqual(["65532", "/home/nonroot"]);
    expect(atLeast(version, "24.12.0")).toBe(true);
    const shell = docker("run", "--rm", "--entrypoint", "/bin/sh", name, "-c", "true");
    await expect(shell).rejects.toThrow(/no such file|not found/);
  });

  test("NATS' has a shell and wget, and no folder of data", async () => {
    const name = image("nats:");
    expect(atLeast(await docker("run", "--rm", name, "nats-server", "--version"), "2.12.0")).toBe(
      true,
    );
    const script = "id -u; command -v wget; ls -d /data 2>/dev/null || echo none";
    const lines = (
      await docker("run", "--rm", "--entrypoint", "/bin/sh", name, "-c", script)
    ).split("\n");
    expect(lines).toEqual(["0", expect.stringMatching(/wget$/), "none"]);
  });

  test("Redis' runs as its user, whose folder of data is a volume, and listens to others", async () => {
    const name = image("redis:");
    expect(atLeast(await docker("run", "--rm", name, "redis-server", "--version"), "8.0.0")).toBe(
      true,
    );
    expect(await inspect(name, "Config.Volumes")).toEqual({ "/data": {} });
    const script = "id redis; stat -c %u:%g /data";
    const out = await docker("run", "--rm", "--entrypoint", "/bin/sh", name, "-c", script);
    expect(out).toMatch(/^uid=999\(redis\) gid=1000\(redis\)[^\n]*\n999:1000$/);
    const id = await docker("run", "--rm", "--detach", name);
    try {
      const inside = (...args: readonly string[]) => docker("exec", id, ...args);
      await expect
        .poll(() => inside("redis-cli", "ping").catch(String), { timeout: 60_000 })
        .toBe("PONG");
      expect(await inside("redis-cli", "config", "get", "protected-mode")).toMatch(/\nno$/);
      expect(await inside("sh", "-c", "grep ^Uid: /proc/1/status")).toMatch(/^Uid:\s+999\s/);
    } finally {
      await docker("rm", "--force", "--volumes", id);
    }
  });
});

describe("the cluster in a container", () => {
  const privileged = process.env.ROLLCAST_STAND_INS === "1" ? [] : ["--privileged"];

  test("runs a Deployment, keeps it in its volume, and stops when told", async () => {
    const name = image("rancher/k3s:");
    const volume = await docker("volume", "create");
    const mounts = [
      "--volume",
      `${volume}:/var/lib/rancher/k3s`,
      "--tmpfs=/run",
      "--tmpfs=/output",
    ];
    const flags = ["--hostname=k3s", "--env=K3S_KUBECONFIG_OUTPUT=/output/admin", ...privileged];
    const start = () =>
      docker("run", "--detach", ...flags, ...mounts, name, "server", "--tls-san=k3s");
    const kubectl = (id: string, ...args: readonly string[]) =>
      docker("exec", id, "kubectl", ...args);
    const ready = (id: string) =>
      expect
        .poll(() => kubectl(id, "get", "--raw=/readyz").catch(String), { timeout: 180_000 })
        .toBe("ok");
    const first = await start();
    try {
      await ready(first);
      expect(await docker("exec", first, "cat", "/output/admin")).toContain(
        "server: https://127.0.0.1:6443",
      );
      await expect
        .poll(() => kubectl(first, "get", "nodes").catch(String), { timeout: 60_000 })
        .toMatch(/ Ready /);
      await kubectl(first, "create", "deployment", "web", "--image=registry.k8s.io/pause:3.10");
      await kubectl(first, "wait", "--for=condition=Available", "--timeout=180s", "deployment/web");
      await docker("stop", "--time=30", first);
      expect(await docker("inspect", "--format", "{{.State.ExitCode}}", first)).toBe("0");
    } finally {
      await docker("rm", "--force", first);
    }
    const second = await start();
    try {
      await ready(second);
      expect(await kubectl(second, "get", "deployments", "--output=name")).toBe(
        "deployment.apps/web",
      );
    } finally {
      await docker("rm", "--force", second);
      await docker("volume", "rm", volume);
    }
  });
});
