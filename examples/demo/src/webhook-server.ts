import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { z } from "zod";

const Message = z.object({ data: z.object({ title: z.string() }) });

export type Delivery = {
  /** The title of the message, if it has one. */
  readonly title?: string;
  /** Why the signature is refused. */
  readonly fault?: string;
};

export type WebhookServer = AsyncDisposable & {
  readonly port: number;
};

export type WebhookServerOptions = {
  /** `whsec_...` */
  readonly secret: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly onDelivery: (delivery: Delivery) => void;
};

async function verify(webhook: Webhook, request: IncomingMessage): Promise<Delivery> {
  const body = await text(request);
  try {
    const headers = request.headers as Record<string, string>;
    const message = Message.safeParse(webhook.verify(body, headers));
    return message.success ? { title: message.data.data.title } : {};
  } catch (err) {
    return { fault: err instanceof Error ? err.message : String(err) };
  }
}

/**
 * Starts a webhook server that accepts messages with a valid signature, verified by the Standard
 * Webhooks library.
 */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const { secret, host, port, onDelivery } = options;
  const webhook = new Webhook(secret);
  const server = createServer((request, response) => {
    verify(webhook, request).then(
      (delivery) => {
        onDelivery(delivery);
        response.writeHead(delivery.fault === undefined ? 204 : 401).end();
      },
      // The sender aborted its request.
      () => response.destroy(),
    );
  }).listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
