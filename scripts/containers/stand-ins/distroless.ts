import { chmod, chown, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { nodePackage } from "../../bootstrap/versions.mjs";
import { certificatesHash, putFile, putCertificates } from "./materials.ts";
import { PATH } from "./stand-in.ts";
import type { StandIn } from "./stand-in.ts";

const PACKAGES = [
  ["base-files", "media-types", "netbase", "tzdata"],
  ["libc6", "libgcc-s1", "libgomp1", "libssl3", "libstdc++6"],
].flat();
const PASSWD = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`;
const GROUP = "root:x:0:\nnobody:x:65534:\ntty:x:5:\nstaff:x:50:\nnonroot:x:65532:\n";

/** Node with the libraries it needs: no shell, no package manager, not root. */
export const distroless: StandIn = {
  images: /^gcr\.io\/distroless\/nodejs24-debian12:nonroot$/,
  changes: [
    PATH,
    "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    "USER 65532",
    "WORKDIR /home/nonroot",
    'ENTRYPOINT ["/nodejs/bin/node"]',
  ],
  inputs: async () => [nodePackage("linux"), await certificatesHash()],
  async fill(root, materials) {
    await materials.unpackDebian(root, "bookworm", PACKAGES);
    await putCertificates(root);
    await putFile(root, "etc/passwd", PASSWD);
    await putFile(root, "etc/group", GROUP);
    const unpacked = await materials.scratch();
    await materials.unpackNpm(unpacked, nodePackage("linux"));
    await mkdir(join(root, "nodejs/bin"), { recursive: true });
    await copyFile(join(unpacked, "bin", "node"), join(root, "nodejs/bin/node"));
    await chmod(join(root, "nodejs/bin/node"), 0o755);
    for (const name of ["home/nonroot", "root", "tmp"]) {
      await mkdir(join(root, name), { recursive: true });
    }
    await chown(join(root, "home/nonroot"), 65532, 65532);
    await chmod(join(root, "home/nonroot"), 0o700);
    await chmod(join(root, "tmp"), 0o1777);
  },
};
