# The image of the service: Debian's Python, a virtual environment, nothing else.
#
#   buildah bud --build-arg EXTRAS=redis,proxy,jwt,aws-kms -t jeton .
#   buildah bud --target locust -t jeton-locust .
#
# DEBIAN is pinned to a point release; a release pipeline passes it with the digest that its
# registry shows, `--build-arg DEBIAN=docker.io/library/debian:13.8-slim@sha256:...`. Python's
# packages are pinned by constraints.txt, Debian's to the series of the release.
#
# checkov:skip=CKV_DOCKER_2:whoever runs it probes /livez and /readyz, with a port of its own choosing
# checkov:skip=CKV_DOCKER_7:the stages begin with DEBIAN, which is pinned: arguments are not followed
ARG DEBIAN=docker.io/library/debian:13.8-slim

# hadolint ignore=DL3006
FROM ${DEBIAN} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates=20* python3=3.13.* \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/log/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

FROM base AS build
SHELL ["/bin/sh", "-eux", "-c"]
WORKDIR /source
COPY constraints.txt ./
# pip stays here: the environment that is copied into the image has none.
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv=3.13.* \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/pip \
    && /opt/pip/bin/pip install --no-cache-dir --upgrade -c constraints.txt pip \
    && python3 -m venv --without-pip /opt/jeton
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY vault ./vault
ARG EXTRAS=redis,proxy,jwt,aws-kms
RUN /opt/pip/bin/pip --python /opt/jeton/bin/python install --no-cache-dir --only-binary :all: \
        -c constraints.txt --build-constraint constraints.txt ".[${EXTRAS}]" \
    && find /opt/jeton -type d -name tests -prune -exec rm -r {} +

FROM build AS build-locust
COPY benchmarks ./benchmarks
COPY sdk ./sdk
RUN python3 -m venv --without-pip /opt/locust \
    && /opt/pip/bin/pip --python /opt/locust/bin/python install --no-cache-dir \
        -c constraints.txt --build-constraint constraints.txt locust ./sdk

FROM base AS locust
COPY --from=build-locust /opt/locust /opt/locust
COPY --from=build-locust /source/benchmarks /opt/load/benchmarks
WORKDIR /opt/load
ENV PATH=/opt/locust/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["locust", "-f", "benchmarks/locust/locustfile.py"]

FROM base AS jeton
COPY --from=build /opt/jeton /opt/jeton
ENV PATH=/opt/jeton/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8200
ENTRYPOINT ["jeton"]
CMD ["serve", "--config", "/etc/jeton/jeton.toml"]
