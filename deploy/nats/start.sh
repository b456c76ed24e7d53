#!/bin/sh
# nats-server with the users of the chart: nats.conf, public keys and permissions, made one file.
# KEYS: folder of nats-keys.conf. USERS: the chart's nats-users.conf. CONF: nats.conf.
# CLUSTER: the cluster's name in rollcast.yaml.
set -eu
made=$(mktemp)
cat "$CONF" "$KEYS/nats-keys.conf" > "$made"
sed "s/CLUSTER/$CLUSTER/g" "$USERS" >> "$made"
exec nats-server --config "$made" "$@"
