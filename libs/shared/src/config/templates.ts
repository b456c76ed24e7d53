import { z } from "zod";
import { RolloutOutcome } from "../events.ts";

/**
 * Which messages a template is for: those of one outcome, of several, or all that have none of
 * their own.
 */
export const TEMPLATE_KEYS = [
  ...RolloutOutcome.options.map((word) => `rollout.${word}` as const),
  "rollout.mixed",
  "default",
] as const;
export type TemplateKey = (typeof TEMPLATE_KEYS)[number];

/** Liquid templates of the two parts of a message. */
const Template = z
  .strictObject({
    title: z.string().min(1).max(2_000).optional(),
    text: z.string().min(1).max(20_000).optional(),
  })
  .refine(({ title, text }) => title !== undefined || text !== undefined, {
    error: "must have a title, a text or both",
  });

/**
 * Templates by {@link TEMPLATE_KEYS}. What they say is checked where they are compiled, at the
 * notifier's start.
 */
export const Templates = z.strictObject(
  Object.fromEntries(TEMPLATE_KEYS.map((key) => [key, Template.optional()])) as Record<
    TemplateKey,
    z.ZodOptional<typeof Template>
  >,
);
export type Templates = z.infer<typeof Templates>;
