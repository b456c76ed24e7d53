export function groupKey(cluster: string, id: string): string {
  return `${cluster}.group.${id}`;
}

export function notificationKey(cluster: string, id: string): string {
  return `${cluster}.message.${id}`;
}

export function receiversKey(cluster: string): string {
  return `${cluster}.receivers`;
}
