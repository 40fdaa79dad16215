# Operator and workers share this image. scripts/image-root decides what of ours goes into it; `make e2e` packs the same files.
FROM node:24.21.0-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make python3 libssl-dev zlib1g-dev libzstd-dev liblz4-dev libsasl2-dev libcurl4-openssl-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# First what changes rarely: the native client takes two minutes to build.
COPY package.json package-lock.json ./
COPY scripts/lib.sh scripts/setup scripts/
RUN SLUICE_CACHE=/cache scripts/setup
COPY scripts/image-root scripts/strip-types.ts scripts/
COPY LICENSE ./
COPY bin bin
COPY src src
RUN scripts/image-root /image

FROM node:24.21.0-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libssl3 zlib1g libzstd1 liblz4-1 libsasl2-2 libcurl4 ca-certificates \
 && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack
COPY --from=build /image/app /app
ENV NODE_ENV=production
# Numeric, so that runAsNonRoot can be checked.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app/bin/sluice"]
