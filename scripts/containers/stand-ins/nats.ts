import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { putFile } from "./materials.ts";
import { PATH, ROOT_GROUP, ROOT_USER } from "./stand-in.ts";
import type { StandIn } from "./stand-in.ts";

/** As in the real image: arguments that begin with a dash are passed to nats-server. */
const ENTRYPOINT = `#!/bin/sh
set -e
if [ "$#" -eq 0 ] || [ "\${1#-}" != "$1" ]; then
  set -- nats-server "$@"
fi
exec "$@"
`;

/** The nats-server of the tests, with busybox for Alpine's commands. */
export const nats: StandIn = {
  images: /^nats:2\.\d+-alpine$/,
  changes: [
    PATH,
    "EXPOSE 4222 8222 6222",
    'ENTRYPOINT ["docker-entrypoint.sh"]',
    'CMD ["nats-server", "--config", "/etc/nats/nats-server.conf"]',
  ],
  inputs: async (materials) => [await materials.serverId("nats-server")],
  async fill(root, materials) {
    await materials.busybox(root);
    await materials.copyServer(root, "usr/local/bin/nats-server", "nats-server");
    await putFile(root, "usr/local/bin/docker-entrypoint.sh", ENTRYPOINT, 0o755);
    await putFile(root, "etc/nats/nats-server.conf", "port: 4222\nmonitor_port: 8222\n");
    await putFile(root, "etc/passwd", ROOT_USER);
    await putFile(root, "etc/group", ROOT_GROUP);
    for (const name of ["root", "tmp"]) await mkdir(join(root, name));
    await chmod(join(root, "tmp"), 0o1777);
  },
};
