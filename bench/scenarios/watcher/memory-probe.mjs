import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

// Loaded into the service by --import (JavaScript, as what is measured): on SIGUSR2 it collects all
// garbage and logs what is left.
setFlagsFromString("--expose-gc");
/** @type {() => void} */
const collect = runInNewContext("gc");

process.on("SIGUSR2", () => {
  for (let i = 0; i < 3; i++) collect();
  const { rss, heapUsed, external, heapTotal, arrayBuffers } = process.memoryUsage();
  process.stdout.write(
    `${JSON.stringify({ level: "info", msg: "memory", rss, heapUsed, external, heapTotal, arrayBuffers })}\n`,
  );
});
