export function groupKey(cluster: string, id: string): string {
  return `${cluster}.group.${id}`;
}

/** `id` identifies the workload. */
export function alertKey(cluster: string, receiver: string, id: string): string {
  return `${cluster}.alert.${receiver}.${id}`;
}

export function messageLogKey(cluster: string, receiver: string): string {
  return `${cluster}.message-log.${receiver}`;
}

export function notificationKey(cluster: string, id: string): string {
  return `${cluster}.message.${id}`;
}

export function receiversKey(cluster: string): string {
  return `${cluster}.receivers`;
}
