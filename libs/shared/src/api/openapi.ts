import { z } from "zod";
import { Problem } from "./problem.ts";
import type { RouteSpec } from "./route.ts";

export type ApiInfo = {
  readonly title: string;
  readonly version: string;
  readonly description: string;
};

type Json = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  // OpenAPI 3.1 takes JSON Schema 2020-12 as it is; its dialect is named once, for the document.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: "draft-2020-12" });
  return rest;
}

function parameters(schema: z.ZodObject | undefined, where: "path" | "query"): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: required.includes(name),
    description,
    schema: property,
  }));
}

function content(schema: Json, type = "application/json"): Json {
  return { content: { [type]: { schema } } };
}

function operation(spec: RouteSpec): Json {
  const { response, status = 200 } = spec;
  const success =
    response === undefined
      ? { 204: { description: "Done" } }
      : { [status]: { description: "Done", ...content(jsonSchema(response, "output")) } };
  return {
    operationId: spec.name,
    summary: spec.summary,
    parameters: [...parameters(spec.params, "path"), ...parameters(spec.query, "query")],
    requestBody:
      spec.body === undefined
        ? undefined
        : { required: true, ...content(jsonSchema(spec.body, "input")) },
    responses: { ...success, default: { $ref: "#/components/responses/Problem" } },
  };
}

/**
 * The OpenAPI 3.1 document of these routes (https://spec.openapis.org/oas/v3.1.1.html), made of the
 * schemas that check the requests.
 */
export function openApiDocument(info: ApiInfo, specs: readonly RouteSpec[]): Json {
  const paths: Record<string, Json> = {};
  for (const spec of specs) {
    paths[spec.path] = { ...paths[spec.path], [spec.method.toLowerCase()]: operation(spec) };
  }
  return {
    openapi: "3.1.1",
    info,
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      responses: {
        Problem: {
          description: "What is wrong, and what to do (RFC 9457)",
          ...content(jsonSchema(Problem, "output"), "application/problem+json"),
        },
      },
    },
  };
}
