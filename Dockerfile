# syntax=docker/dockerfile:1
# One image for each service: docker build --build-arg SERVICE=watcher -t rollcast-watcher .
# SERVICE is a folder of services/. The image holds JavaScript: its sources without their types.
FROM node:24-bookworm-slim AS build
ARG SERVICE
WORKDIR /src
RUN npm install --global pnpm@10.34.9
COPY . .
RUN --mount=type=cache,id=pnpm,target=/pnpm \
    npm_config_store_dir=/pnpm node tools/image-tree.mjs "${SERVICE:?say --build-arg SERVICE=watcher, restarter, notifier, all-in-one, provision or demo}" /app

# No shell, no package manager; user 65532.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
ARG SERVICE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rollcast-${SERVICE}" \
      org.opencontainers.image.description="Rolls Kubernetes workloads when the ConfigMaps and Secrets they use change" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=build /app /app
ENV NODE_ENV=production
EXPOSE 8080
# Node is process 1, so that SIGTERM reaches it. The heap is a share of the container's memory, so that the limit of the pod is the only number to set, and
# it is kept small: the services rest mostly. docs/operate.md has what that gives and costs.
ENTRYPOINT ["/nodejs/bin/node", "--max-old-space-size-percentage=60", "--max-semi-space-size=4", "--memory-saver-mode"]
CMD ["main.mjs"]
