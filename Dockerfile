# flowmask in a container: `docker build --target cpu -t flowmask .`, or `--target cuda` for NVIDIA GPUs (then
# `docker run --gpus all`). Both have the built-in models; images come in by a mount, as in
# `docker run --rm -v "$PWD:/data" flowmask segment /data/scans -o /data/results`.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /flowmask
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim AS cpu
COPY --from=build /flowmask/target/release/flowmask /usr/local/bin/
WORKDIR /data
ENTRYPOINT ["flowmask"]

# The runtime image has NVRTC, which compiles the kernels at the first use of a kind of card. A mount at /cache keeps them.
FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04 AS cuda
ENV XDG_CACHE_HOME=/cache
COPY --from=build /flowmask/target/release/flowmask /usr/local/bin/
WORKDIR /data
ENTRYPOINT ["flowmask"]
