# One image for each service: docker build --build-arg SERVICE=watcher -t rollcast-watcher .
# The command line:           docker build --build-arg SERVICE=cli --target cli -t rollcast-cli .
# SERVICE is a folder of services/, jobs/ or examples/, or cli. An image holds JavaScript: its
# sources without their types. It gets a new id where what it holds is new, and only there.

# Manifests alone, so that a changed source installs nothing anew.
FROM node:24-bookworm-slim AS manifests
WORKDIR /src
COPY . .
RUN mkdir /manifests && cp --parents package.json pnpm-*.yaml */package.json */*/package.json /manifests

# What the lockfile names, brought once for all services.
FROM node:24-bookworm-slim AS packages
# Another npm registry, by its URL; without a password, for a builder may keep what it is given.
ARG NPM_CONFIG_REGISTRY
RUN npm install --global pnpm@10.34.9
ENV npm_config_store_dir=/pnpm
WORKDIR /src
COPY --from=manifests /manifests/pnpm-*.yaml ./
RUN pnpm fetch --prod && rm -r node_modules

FROM packages AS build
ARG SERVICE
COPY --from=manifests /manifests ./
COPY scripts scripts
RUN npm_config_offline=true node scripts/image/tree.mjs "${SERVICE:?say --build-arg SERVICE=watcher, restarter, notifier, all-in-one, provision, demo or cli}" /packages/app packages
COPY . .
RUN node scripts/image/tree.mjs "$SERVICE" /sources/app sources

# No shell, no package manager; user 65532.
FROM gcr.io/distroless/nodejs24-debian12:nonroot AS image
# Into the root: in /app itself the time of the build would be left.
COPY --from=build /packages /
COPY --from=build /sources /
WORKDIR /app
ENV NODE_ENV=production
ARG SERVICE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rollcast-${SERVICE}" \
      org.opencontainers.image.description="Rolls Kubernetes workloads when the ConfigMaps and Secrets they use change" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# Its words are the command's: docker run rollcast-cli status. By its whole path, so that a working
# directory with the caller's files is no other program.
FROM image AS cli
ENTRYPOINT ["/nodejs/bin/node", "/app/main.mjs"]
CMD []

FROM image AS service
EXPOSE 8080
# Node is process 1, so that SIGTERM reaches it. The heap is a share of the container's memory, so
# that the limit of the pod is the only number to set, and it is kept small: the services rest
# mostly. docs/operate.md has what that gives and costs.
ENTRYPOINT ["/nodejs/bin/node", "--max-old-space-size-percentage=60", "--max-semi-space-size=4", "--memory-saver-mode"]
CMD ["main.mjs"]
