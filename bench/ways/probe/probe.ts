// Loaded into a service by --import: logs the files that ran for each change that passes, between
// the bytes that bring it and the bytes by which it goes on.
import process from "node:process";
import { startCoverage } from "./coverage.ts";
import { openFirstUse } from "./first-use.ts";
import { openInspector } from "./inspector.ts";
import { watchBytes } from "./watch-bytes.ts";
import type { Passage, ProbeOptions } from "../passage.ts";

const options = JSON.parse(process.env.WAY ?? "") as ProbeOptions;
const begin = new RegExp(options.begin);
const end = new RegExp(options.end);
const isOurs = (url: string) =>
  url.startsWith(options.root) && /^(?:services|libs)\//.test(url.slice(options.root.length));
const inspector = openInspector();
const coverage = startCoverage(inspector, isOurs);
const firstUse = openFirstUse(inspector, isOurs);
let passages = 0;
let isUnderWay = false;

watchBytes({
  onRead(bytes) {
    if (isUnderWay || !begin.test(bytes)) return;
    isUnderWay = true;
    passages++;
    if (passages > options.undisturbed) firstUse.begin();
    coverage.take();
  },
  onWrite(bytes) {
    if (!isUnderWay || !end.test(bytes)) return;
    isUnderWay = false;
    const ran = coverage.take();
    const isOrdered = passages > options.undisturbed;
    const order = isOrdered ? firstUse.end() : [];
    for (const url of ran) firstUse.add(url);
    const urls = isOrdered ? order : ran;
    const passage: Passage = {
      isOrdered,
      files: urls.map((url) => url.slice(options.root.length)),
    };
    process.stdout.write(`${JSON.stringify({ level: "info", msg: "way", ...passage })}\n`);
  },
});
