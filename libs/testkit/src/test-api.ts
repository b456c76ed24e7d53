import { readFileSync } from "node:fs";
import { Agent, request } from "undici";

/** An object of the Kubernetes API as tests use it. */
// Tests read deep into objects whose form they have just made themselves.
export type AnyObject = {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    generation?: number;
    resourceVersion?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
    [key: string]: unknown;
  };
  [key: string]: unknown;
};

export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type ApiCall = {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  body?: unknown;
  contentType?: string;
  /** The field manager of a write; default `test`. */
  manager?: string;
};

/** A plain client of the API server, for tests to act as users and controllers do. */
export type Api = AsyncDisposable & {
  call<T = AnyObject>(call: ApiCall): Promise<T>;
  get<T = AnyObject>(path: string): Promise<T>;
  create(path: string, body: unknown): Promise<AnyObject>;
  /** A merge patch, as an editor would make it. */
  patch(path: string, body: unknown, manager?: string): Promise<AnyObject>;
  remove(path: string): Promise<void>;
};

/** `caFile` undefined: the server's certificate is not checked. */
export function createApi(url: string, token: string, caFile?: string): Api {
  const ca = caFile === undefined ? undefined : readFileSync(caFile, "utf8");
  const agent = new Agent({
    allowH2: false,
    connections: 32,
    connect: ca === undefined ? { rejectUnauthorized: false } : { ca },
  });
  const call = async <T>(options: ApiCall): Promise<T> => {
    const method = options.method ?? "GET";
    const target = new URL(options.path, url);
    if (method !== "GET" && method !== "DELETE") {
      target.searchParams.set("fieldManager", options.manager ?? "test");
    }
    const response = await request(target, {
      method,
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${token}`,
        ...(options.body === undefined
          ? {}
          : { "content-type": options.contentType ?? "application/json" }),
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) {
      throw new ApiError(
        response.statusCode,
        `${method} ${options.path}: ${response.statusCode} ${text.slice(0, 500)}`,
      );
    }
    return (text === "" ? {} : tryJson(text)) as T;
  };
  return {
    call,
    get: (path) => call({ path }),
    create: (path, body) => call({ method: "POST", path, body }),
    patch: (path, body, manager) =>
      call({
        method: "PATCH",
        path,
        body,
        contentType: "application/merge-patch+json",
        ...(manager === undefined ? {} : { manager }),
      }),
    async remove(path) {
      await call({ method: "DELETE", path });
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
