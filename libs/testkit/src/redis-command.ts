import { once } from "node:events";
import { connect } from "node:net";

/** What Redis answers to one command, as lines of its protocol. */
export async function redisCommand(port: number, command: string): Promise<string[]> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("utf8");
  });
  socket.write(`${command}\r\nQUIT\r\n`);
  await once(socket, "close");
  return text.split("\r\n");
}
