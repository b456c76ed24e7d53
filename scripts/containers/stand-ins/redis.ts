import { existsSync } from "node:fs";
import { chmod, chown, mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { putFile } from "./materials.ts";
import { PATH, ROOT_GROUP, ROOT_USER } from "./stand-in.ts";
import type { StandIn } from "./stand-in.ts";

/**
 * Redis 8 with the libraries it needs, and setpriv, with which the image's entrypoint switches to
 * the user redis.
 */
const PACKAGES = [
  ["redis-server", "redis-tools", "util-linux", "libcap-ng0", "libc6", "libgcc-s1", "libstdc++6"],
  ["libatomic1", "libcap2", "libjemalloc2", "liblzf1", "libssl3t64", "libsystemd0", "libzstd1"],
  ["zlib1g"],
].flat();
/** The image's Redis is built with protected mode off, Debian's with it on. */
const WRAPPER = `#!/bin/sh
case " $* " in
  *" --protected-mode "*) ;;
  *) set -- "$@" --protected-mode no ;;
esac
exec /usr/local/lib/redis-server "$@"
`;
/**
 * As in the real image: arguments that begin with a dash or end in .conf are passed to
 * redis-server, which does not run as root. Debian's busybox has a lesser setpriv of its own, which
 * would be preferred.
 */
const ENTRYPOINT = `#!/bin/sh
set -e
if [ "\${1#-}" != "$1" ] || [ "\${1%.conf}" != "$1" ]; then
  set -- redis-server "$@"
fi
if [ "$1" = 'redis-server' -a "$(id -u)" = '0' ]; then
  find . \\! -user redis -exec chown redis '{}' +
  exec /usr/local/bin/setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
um="$(umask)"
if [ "$um" = '0022' ]; then
  umask 0077
fi
exec "$@"
`;

/** Debian's Redis 8, with busybox for Alpine's commands. */
export const redis: StandIn = {
  images: /^redis:8(\.\d+)?-alpine$/,
  changes: [
    PATH,
    "WORKDIR /data",
    "VOLUME /data",
    "EXPOSE 6379",
    'ENTRYPOINT ["docker-entrypoint.sh"]',
    'CMD ["redis-server"]',
  ],
  inputs: async () => [],
  async fill(root, materials) {
    const debian = await materials.scratch();
    await materials.unpackDebian(debian, "trixie", PACKAGES);
    const copy = (from: string, to: string) =>
      materials.run("cp", ["-a", join(debian, from), join(root, to)]);
    await mkdir(join(root, "usr/local/bin"), { recursive: true });
    await mkdir(join(root, "usr/local/lib"), { recursive: true });
    for (const name of ["lib", "lib64"]) {
      if (!existsSync(join(debian, "usr", name))) continue;
      await copy(join("usr", name), "usr");
      await symlink(join("usr", name), join(root, name));
    }
    for (const name of ["systemd", "udev"]) {
      await rm(join(root, "usr/lib", name), { recursive: true, force: true });
    }
    // One program, which goes by its name.
    await copy("usr/bin/redis-check-rdb", "usr/local/lib/redis-server");
    for (const name of ["redis-cli", "setpriv"]) await copy(`usr/bin/${name}`, "usr/local/bin");
    await putFile(root, "usr/local/bin/redis-server", WRAPPER, 0o755);
    await putFile(root, "usr/local/bin/docker-entrypoint.sh", ENTRYPOINT, 0o755);
    await materials.busybox(root);
    await putFile(root, "etc/passwd", `${ROOT_USER}redis:x:999:1000:redis:/home/redis:/bin/sh\n`);
    await putFile(root, "etc/group", `${ROOT_GROUP}redis:x:1000:redis\n`);
    for (const name of ["data", "root", "tmp"]) await mkdir(join(root, name));
    await chown(join(root, "data"), 999, 1000);
    await chmod(join(root, "tmp"), 0o1777);
  },
};
