import type { Project } from "./project.ts";

/** What a process in a container may do, as it finds itself. */
export type Inside = {
  readonly uid: number;
  readonly gid: number;
  /** Effective capabilities, a bit mask in hexadecimal. */
  readonly capabilities: string;
  readonly noNewPrivileges: boolean;
  /** Why each place takes no file, or `written`. */
  readonly writes: Readonly<Record<string, string>>;
  /** Files of its identity that it can read. */
  readonly identity: readonly string[];
  /** What NATS' monitoring answers it. */
  readonly monitoring: string;
};

const PLACES = ["/", "/app", "/etc/rollcast/config", "/etc/rollcast/identity"];

const SCRIPT = `
const fs = require("node:fs");
const status = fs.readFileSync("/proc/self/status", "utf8");
const line = (name) => new RegExp("^" + name + ":\\\\s*(.*)$", "m").exec(status)?.[1];
const writes = {};
for (const place of ${JSON.stringify(PLACES)}) {
  try { fs.writeFileSync(place + "/written-by-a-test", ""); writes[place] = "written"; }
  catch (err) { writes[place] = err.code; }
}
const dir = "/etc/rollcast/identity";
const identity = fs.existsSync(dir) ? fs.readdirSync(dir).filter((name) => fs.readFileSync(dir + "/" + name).length > 0) : [];
const get = fetch("http://nats:8222/varz", { signal: AbortSignal.timeout(3000) });
get.then((res) => "answers " + res.status, (err) => "refused " + (err.cause?.code ?? err.name)).then((monitoring) => {
  process.stdout.write(JSON.stringify({
    uid: process.getuid(), gid: process.getgid(), capabilities: line("CapEff"),
    noNewPrivileges: line("NoNewPrivs") === "1", writes, identity: identity.toSorted(), monitoring,
  }));
});`;

/** Asks a container of Node about itself. */
export async function lookInside(project: Project, service: string): Promise<Inside> {
  return JSON.parse(await project.evaluate(service, SCRIPT)) as Inside;
}
