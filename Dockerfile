# The image: one static binary, the certificate authorities by which it knows a PostgreSQL server, and a folder for
# its socket. There is no shell in it, no package and no user but 65532. Time zones are not there either: all instants
# are in UTC or carry their offset.
#
#     docker build --build-arg VERSION=$(git describe --tags --always) --build-arg COMMIT=$(git rev-parse HEAD) .
#
# make image does that, with any builder. For another platform add --platform linux/arm64; the compiler still runs on
# the builder's own.

# GO_IMAGE is what compiles: Go 1.26 or newer, a POSIX shell, and /etc/ssl/certs/ca-certificates.crt. Name a mirror of
# yours, or a digest. The modules come from where its GOPROXY says, by default from proxy.golang.org.
ARG GO_IMAGE=docker.io/library/golang:1.26
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What `watchdog version` and the labels say; the commit's folder .git is not in the context.
ARG VERSION=devel
ARG COMMIT=unknown
ARG TARGETOS
ARG TARGETARCH
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH scripts/build.sh /out/watchdog && \
    mkdir /out/run && mkdir -m 0750 /out/run/watchdog

FROM scratch
ARG VERSION=devel
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Finalizer watchdog" \
      org.opencontainers.image.description="A sidecar that keeps a job orchestrator's reaper off finalizers that live, and recovers those that died." \
      org.opencontainers.image.url="https://github.com/finalizer-watchdog/watchdog" \
      org.opencontainers.image.source="https://github.com/finalizer-watchdog/watchdog" \
      org.opencontainers.image.documentation="https://github.com/finalizer-watchdog/watchdog/blob/main/docs/kubernetes.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# A named volume that is mounted here takes over the owner; in a pod an emptyDir lies over it.
COPY --from=build --chown=65532:65532 /out/run /run
COPY --from=build /out/watchdog /watchdog
USER 65532:65532
EXPOSE 9914
# Kubernetes has probes of its own; this is for docker and podman (of the OCI's formats none can hold it).
HEALTHCHECK --interval=15s --timeout=6s --start-period=15s --retries=4 CMD ["/watchdog", "status", "--quiet"]
# `kubectl exec … -- watchdog status` finds it.
ENV PATH=/
ENTRYPOINT ["/watchdog"]
CMD ["serve"]
