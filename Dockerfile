# syntax=docker/dockerfile:1
# Two images:
#   docker build -t lapse .                          # for a ClickHouse server
#   docker build -t lapse:embedded --target embedded .   # with the embedded engine

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags noengine -ldflags "-s -w" -o /out/static/lapse ./cmd/lapse \
 && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/embedded/lapse ./cmd/lapse \
 && mkdir /out/data

# The engine comes through npm, pinned by version and checked against its integrity hash.
FROM node:22-bookworm-slim AS engine
COPY --from=build /out/embedded/lapse /usr/local/bin/lapse
RUN XDG_CACHE_HOME=/cache lapse engine install

FROM debian:bookworm-slim AS embedded
LABEL org.opencontainers.image.title="Lapse with an embedded ClickHouse" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=engine /cache /cache
COPY --from=build /out/embedded/lapse /usr/local/bin/lapse
COPY --from=build --chown=65532:65532 /out/data /data
ENV XDG_CACHE_HOME=/cache LAPSE_DATA_DIR=/data
VOLUME /data
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/lapse"]

# The last stage is the default: one static file, no shell, nobody's rights. It
# writes only to /data, so that the root file system can be read-only.
FROM scratch AS server
LABEL org.opencontainers.image.title="Lapse" \
      org.opencontainers.image.description="Carries out the data-lifecycle half of a privacy policy, and proves it" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/static/lapse /lapse
COPY --from=build --chown=65532:65532 /out/data /data
ENV LAPSE_DATA_DIR=/data
VOLUME /data
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/lapse"]
