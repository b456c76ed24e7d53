import { KubeError } from "./kube-error.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const ITEMS = Buffer.from('"items"');
/** A member of the list object and an element of its array. */
const LIST_DEPTH = 1;
const ITEM_DEPTH = 2;

/** Position after the string that begins at `at`; -1 where it does not end. */
function afterString(body: Buffer, at: number): number {
  for (let end = body.indexOf(QUOTE, at + 1); end !== -1; end = body.indexOf(QUOTE, end + 1)) {
    let slashes = 0;
    while (body[end - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
  return -1;
}

function isItems(body: Buffer, at: number, end: number): boolean {
  return end - at === ITEMS.length && body.compare(ITEMS, 0, ITEMS.length, at, end) === 0;
}

/** What is left of the list when its items are cut out, and where these are. */
export type ListBody = {
  /** The list with `items: []` in their place. */
  readonly envelope: unknown;
  /** The bytes of each item. */
  readonly items: Iterable<Buffer>;
};

/**
 * Takes the JSON of a Kubernetes list apart without parsing the items: each can be parsed and
 * dropped alone, while the tree of a whole page would live long enough to fill the heap. Strings
 * are skipped as strings, so nothing in a value is taken for structure. Throws {@link KubeError}
 * `NotJson`.
 */
export function splitList(body: Buffer): ListBody {
  const ranges: number[] = [];
  let depth = 0;
  let inItems = false;
  let sawItems = false;
  let arrayStart = -1;
  let arrayEnd = -1;
  let itemStart = -1;
  for (let at = 0; at < body.length;) {
    const byte = body[at];
    if (byte === QUOTE) {
      const end = afterString(body, at);
      if (end === -1) break;
      if (depth === LIST_DEPTH && arrayEnd === -1) sawItems = isItems(body, at, end);
      at = end;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === LIST_DEPTH && sawItems && byte === OPEN_BRACKET) {
        inItems = true;
        arrayStart = at;
      } else if (depth === ITEM_DEPTH && inItems) itemStart = at;
      sawItems = false;
      depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === ITEM_DEPTH && inItems) ranges.push(itemStart, at + 1);
      else if (depth === LIST_DEPTH && inItems) {
        inItems = false;
        arrayEnd = at;
      }
    }
    at++;
  }
  return { envelope: parseEnvelope(body, arrayStart, arrayEnd), items: slices(body, ranges) };
}

function parseEnvelope(body: Buffer, arrayStart: number, arrayEnd: number): unknown {
  try {
    if (arrayStart === -1) return JSON.parse(body.toString("utf8"));
    const head = body.toString("utf8", 0, arrayStart + 1);
    return JSON.parse(head + body.toString("utf8", arrayEnd));
  } catch {
    // The parser's own words quote what it read, which may be a Secret.
    throw new KubeError(0, "NotJson", "the list is not JSON");
  }
}

function* slices(body: Buffer, ranges: readonly number[]): Generator<Buffer, void> {
  for (let i = 0; i < ranges.length; i += 2) yield body.subarray(ranges[i], ranges[i + 1]);
}
