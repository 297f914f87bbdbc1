# Operator and gateway in one image. `make image` builds it where Docker is; what goes in is locked, version and hash.
#
# BASE is any image with Python 3.11 and venv; it is the only thing that is not locked in requirements/. The digest is that
# of a list of images, so it fits every architecture. Nothing of Python's packaging is left in the result.
ARG BASE=docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE} AS build
# A mirror goes here. No credentials in it: they would stay in the history of the build.
ARG PIP_INDEX_URL=https://pypi.org/simple
ENV PIP_INDEX_URL=${PIP_INDEX_URL} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/operator.txt requirements/build.txt requirements/
RUN python3 -m venv /opt/alo \
    && /opt/alo/bin/python -m pip install --require-hashes --only-binary=:all: -r requirements/operator.txt \
    && python3 -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes --only-binary=:all: -r requirements/build.txt
COPY pyproject.toml LICENSE README.md ./
COPY operator operator
RUN /opt/build/bin/python -m hatchling build -t wheel -d dist \
    && /opt/alo/bin/python -m pip install --no-deps --no-index dist/*.whl \
    && /opt/alo/bin/python -m pip uninstall --yes setuptools pip \
    && mkdir etc \
    && { cat /etc/passwd; echo 'alo:x:65532:65532:alo:/nonexistent:/sbin/nologin'; } > etc/passwd \
    && { cat /etc/group; echo 'alo:x:65532:'; } > etc/group

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="alo-operator" \
      org.opencontainers.image.description="Durable promises for Kubernetes: operator and gateway" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /src/etc/passwd /src/etc/group /etc/
COPY --from=build /opt/alo /opt/alo
COPY LICENSE requirements/sbom.cdx.json /usr/share/doc/alo-operator/
# LOGNAME: a cluster that gives pods users of its own has no line for them in passwd, and Kopf asks who runs it.
ENV PATH=/opt/alo/bin:/usr/local/bin:/usr/bin:/bin \
    LOGNAME=alo \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
# The gateway is the same image with the command alo-gateway.
ENTRYPOINT ["alo-operator"]
CMD ["--help"]
