# Two images: `cli` (everything) and `probe` (only what probing in a pod needs: the base install).
#
#   make dist
#   docker build --target cli   --build-arg BASE=python:3.12-slim@sha256:<digest> -t preflight .
#   docker build --target probe --build-arg BASE=python:3.12-slim@sha256:<digest> -t preflight-probe .
#
# BASE has no default on purpose: pin the base by the digest that you reviewed. Any image with Python 3.11 or newer, a
# shell and the public certificate authorities will do; `make image` makes one from Debian packages. The wheel from
# dist/ is the one that was tested. With dist/wheelhouse (pip and all dependencies) nothing is downloaded.
ARG BASE

FROM ${BASE} AS build
COPY dist /dist
COPY tools/install_in_image.sh /install.sh

FROM build AS build-probe
RUN sh /install.sh azureml-aks-preflight

FROM ${BASE} AS probe
COPY --from=build-probe /opt/preflight /opt/preflight
ENV PATH=/opt/preflight/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="preflight-probe" org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
ENTRYPOINT ["/opt/preflight/bin/preflight"]

FROM build AS build-cli
RUN sh /install.sh 'azureml-aks-preflight[all]'

FROM ${BASE} AS cli
COPY --from=build-cli /opt/preflight /opt/preflight
ENV PATH=/opt/preflight/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="preflight" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/opt/preflight/bin/preflight"]
