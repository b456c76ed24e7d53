#!/bin/sh
# redis-server with the users of the chart, an append-only file and no eviction.
# KEYS: folder of <user>.sha256. USERS: the chart's redis-users.txt.
# CLUSTER: the cluster's name in rollcast.yaml.
set -euf
rules=$(sed "s/CLUSTER/$CLUSTER/g; s/RESTARTER_SHA256/$(cat "$KEYS/restarter.sha256")/; s/NOTIFIER_SHA256/$(cat "$KEYS/notifier.sha256")/; s/^/--user /" "$USERS")
# The rules hold no blanks but those between them.
# shellcheck disable=SC2086
exec redis-server --appendonly yes --appendfsync everysec --save "" --maxmemory-policy noeviction $rules "$@"
