/**
 * Users that a test may act as, each by its token; `admin` may do everything, the others nothing
 * until a test gives them a role.
 */
export const USERS = ["admin", "watcher", "restarter", "notifier", "alice"] as const;

export type User = (typeof USERS)[number];

export function tokenOf(user: User): string {
  return `token-of-${user}`;
}
