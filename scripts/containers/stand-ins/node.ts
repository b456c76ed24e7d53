import { chmod, chown, copyFile, mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { NPM, nodePackage } from "../../bootstrap/versions.mjs";
import { certificatesHash, putFile, putCertificates } from "./materials.ts";
import { PATH } from "./stand-in.ts";
import type { StandIn } from "./stand-in.ts";

/** Debian's base packages, and the libraries that Node needs. */
const PACKAGES = [
  ["base-files", "base-passwd", "bash", "coreutils", "dash", "debianutils", "diffutils", "dpkg"],
  ["findutils", "grep", "gzip", "hostname", "libc-bin", "login", "mawk", "ncurses-bin", "passwd"],
  ["perl-base", "sed", "tar", "tzdata", "util-linux", "libgcc-s1", "libstdc++6"],
].flat();
const MODULES = "usr/local/lib/node_modules";
/** As in the real image: arguments that name no command are passed to node. */
const ENTRYPOINT = `#!/bin/sh
set -e
if [ "\${1#-}" != "\${1}" ] || [ -z "$(command -v "\${1}")" ] || { [ -f "\${1}" ] && ! [ -x "\${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
`;

/** Debian with unconfigured packages, Node and npm; images are built in it. */
export const node: StandIn = {
  images: /^node:24-bookworm-slim$/,
  changes: [
    PATH,
    "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt",
    'ENTRYPOINT ["docker-entrypoint.sh"]',
    'CMD ["node"]',
  ],
  inputs: async () => [nodePackage("linux"), NPM, await certificatesHash()],
  async fill(root, materials) {
    await materials.unpackDebian(root, "bookworm", PACKAGES, { dependencies: true });
    await putCertificates(root);
    const unpacked = await materials.scratch();
    await materials.unpackNpm(unpacked, nodePackage("linux"));
    await mkdir(join(root, "usr/local/bin"), { recursive: true });
    await copyFile(join(unpacked, "bin", "node"), join(root, "usr/local/bin/node"));
    await chmod(join(root, "usr/local/bin/node"), 0o755);
    await materials.unpackNpm(join(root, MODULES, "npm"), `npm@${NPM}`);
    for (const name of ["npm", "npx"]) {
      const file = join(MODULES, "npm", "bin", `${name}-cli.js`);
      await chmod(join(root, file), 0o755);
      await symlink(`/${file}`, join(root, "usr/local/bin", name));
    }
    await putFile(root, "usr/local/bin/docker-entrypoint.sh", ENTRYPOINT, 0o755);
    // What the scripts of Debian's packages would create.
    const master = (name: string) =>
      readFile(join(root, `usr/share/base-passwd/${name}.master`), "utf8");
    const user = "node:x:1000:1000::/home/node:/bin/bash\n";
    await putFile(root, "etc/passwd", `${await master("passwd")}${user}`);
    await putFile(root, "etc/group", `${await master("group")}node:x:1000:\n`);
    await mkdir(join(root, "home/node"), { recursive: true });
    await chown(join(root, "home/node"), 1000, 1000);
  },
};
