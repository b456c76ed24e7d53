import { Liquid } from "liquidjs";

/** A compiled template. Throws where it meets an unknown variable or a limit. */
export type Compiled = (variables: object) => string;

/** Characters of a template. */
const PARSE_LIMIT = 20_000;
/** By the clock, which also runs while a busy node lets this process wait: a good template takes less than a millisecond. */
const RENDER_MS = 1_000;
/** Elements and characters that one rendering may make. */
const MEMORY_LIMIT = 1_000_000;
/** Tags that read other templates: there are none, and nothing here may look for files. */
const FILE_TAGS = ["include", "render", "layout", "block"];

/**
 * Compiles Liquid templates (https://liquidjs.com) that can reach the variables given to them and nothing else: no files, no prototypes, bounded time and memory.
 * An unknown filter or tag fails here, an unknown variable when rendered.
 */
export function createLiquid(): (text: string) => Compiled {
  const engine = new Liquid({
    templates: {},
    strictFilters: true,
    strictVariables: true,
    ownPropertyOnly: true,
    parseLimit: PARSE_LIMIT,
    renderLimit: RENDER_MS,
    memoryLimit: MEMORY_LIMIT,
  });
  for (const tag of FILE_TAGS) delete engine.tags[tag];
  return (text) => {
    const parsed = engine.parse(text);
    return (variables) => String(engine.renderSync(parsed, variables));
  };
}
