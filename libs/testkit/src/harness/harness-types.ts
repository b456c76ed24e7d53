import type { RollcastEvent } from "@rollcast/shared/events";
import type { ClusterOptions } from "../cluster.ts";
import type { FaultProxy } from "../fault-proxy.ts";
import type { NatsServer, NatsServerOptions } from "../nats.ts";
import type { TestReceiver } from "../receiver.ts";
import type { RedisServer, RedisServerOptions } from "../redis-server.ts";
import type { Service, ServiceLogLine, ServiceName, ServiceOptions } from "../services.ts";
import type { Api } from "../test-api.ts";
import type { User } from "../users.ts";
import type { ClusterAccess } from "../write-kubeconfig.ts";
import type { SecuredOptions } from "./secured-servers.ts";
import type { ShippedUsers } from "./shipped-users.ts";

/** A control plane that runs. */
export type ClusterHandle = ClusterAccess & { readonly api: Api };

/** Where NATS is, and as whom to connect. */
export type NatsAddress = { readonly url: string; readonly nkey?: { readonly file: string } };

/** A client of NATS, handed in: the package that has one stands above this one. */
export type NatsClient<C extends AsyncDisposable> = {
  connect(to: NatsAddress): Promise<C>;
  /** Makes what must be there before anything else starts. */
  provision?(connection: C): Promise<unknown>;
  readEvents?(connection: C): Promise<RollcastEvent[]>;
};

/** What a test needs; a part that is not named is not started. */
export type HarnessOptions<C extends AsyncDisposable> = {
  /** The control plane that the tests of a run share, one that runs, or one of its own. */
  cluster?: "shared" | ClusterHandle | ClusterOptions;
  /** Begin of the name of a namespace of its own. */
  namespace?: string;
  /** A proxy in front of the API server, through which the services go. */
  faultProxy?: boolean;
  /** As whom the services ask the API server; default `admin`. */
  user?: User;
  nats?: NatsServerOptions;
  redis?: RedisServerOptions;
  /** Instead of the two: both of them as the chart ships them, each service as its own user. */
  secured?: SecuredOptions;
  /** Receives the services' webhooks. */
  receiver?: boolean;
  client?: NatsClient<C>;
  /** Merged over {@link baseConfig}; asked for at each start of a service. */
  config?: (harness: Harness<C>) => object;
  /** Started at once, all together. */
  services?: readonly ServiceName[];
};

export type StartOptions = Pick<ServiceOptions, "env" | "kubeconfig" | "root" | "nodeOptions"> & {
  /** Merged over the harness's configuration. */
  config?: object;
  /** False: return before it is ready. */
  wait?: boolean;
};

/** Where a service runs that is started in the test's own process. */
export type LocalProcess = {
  /** Takes what the service opens. */
  readonly stack: AsyncDisposableStack;
  /** Fires when the service must stop. */
  readonly signal: AbortSignal;
};

/**
 * The parts of Rollcast and of what it needs that were asked for. To touch another part is an
 * error. Disposal takes them away, the newest first.
 */
export type Harness<C extends AsyncDisposable = AsyncDisposable> = AsyncDisposable & {
  /** A folder for files of the test. */
  readonly dir: string;
  /** Fires at the begin of disposal. */
  readonly signal: AbortSignal;
  readonly cluster: ClusterHandle;
  readonly api: Api;
  readonly namespace: string;
  readonly proxy: FaultProxy;
  /** What the services are started with. */
  readonly kubeconfig: string;
  /** A kubeconfig for another user. */
  kubeconfigFor(user: User): Promise<string>;
  readonly nats: NatsServer;
  /** All servers of NATS, and how a client names them. */
  readonly natsServers: readonly NatsServer[];
  readonly natsUrl: string;
  readonly redis: RedisServer;
  readonly users: ShippedUsers;
  readonly receiver: TestReceiver;
  readonly connection: C;
  /** One more connection. */
  connect(): Promise<C>;
  /** Every event in the stream, oldest first. */
  events(): Promise<RollcastEvent[]>;
  /** Waits for the `count`th event with this outcome, about the object of this name if given. */
  waitEvent(outcome: string, name?: string, count?: number): Promise<RollcastEvent>;
  /** The processes that were started, also those that have ended. */
  readonly services: readonly Service[];
  /** Starts one more process of a service, and waits until it is ready. */
  start(name: ServiceName, options?: StartOptions): Promise<Service>;
  /** Every log line of every process. */
  logs(): ServiceLogLine[];
  /** Runs a service in this process. What `open` returns is given back, to be disposed. */
  run<T extends object>(open: (place: LocalProcess) => Promise<T>): Promise<T & AsyncDisposable>;
};

/** A harness with more handles, of one service's tests; one of the same name goes before. */
export type Extended<C extends AsyncDisposable, S> = Omit<Harness<C>, keyof S> & S;
