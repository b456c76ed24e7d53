import type { Verdict } from "./is-allowed.ts";
import type { Effect, Trace } from "./trace.ts";

function effectText(effect: Effect): string {
  if (effect.do === "node") return `node ${effect.node} is ${effect.state}`;
  const { do: name, ...rest } = effect;
  const more = JSON.stringify(rest);
  return more === "{}" ? name : `${name} ${more}`;
}

/** What was observed, with the writes between, and where the model could not follow. */
export function traceText(
  { observations, effects, final }: Trace,
  { matched, finals }: Pick<Verdict, "matched" | "finals">,
): string {
  const lines = observations.flatMap((text, i) => {
    const exact = effects.filter(({ at }) => "exactly" in at && at.exactly === i);
    const from = effects.filter(({ at }) => "from" in at && at.from === i);
    const mark = i === matched ? ">" : " ";
    return [
      ...from.map(({ effect }) => `     after this: ${effectText(effect)}`),
      ...exact.map(({ effect }) => `     ${effectText(effect)}`),
      `${mark} ${i}. ${text}`,
    ];
  });
  const ends = finals.map((text) => `the model ends with:\n${text}`);
  return [...lines, `the end:\n${final}`, ...ends].join("\n");
}
