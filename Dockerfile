# One image for all five services of compose.yaml: the locked environment, and nothing that builds it.
#   docker build --tag countersign:0.1.0 .

FROM docker.io/library/python:3.11-slim-bookworm AS build
# The same version as in the Makefile.
RUN pip install --no-cache-dir uv==0.13.8
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/countersign/.venv
WORKDIR /src
# What others wrote first: a change of ours leaves this layer as it is.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-install-project --group runtime
# Builds the browser pages where they are not in agent/api/static already.
COPY . .
RUN uv sync --frozen --no-editable --group runtime

FROM docker.io/library/python:3.11-slim-bookworm
# git reads the history of configuration files; ssh is how Ansible reaches other machines.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/*
# The user that owns the folders which compose.yaml mounts.
ARG UID=1000
ARG GID=1000
RUN groupadd --gid "${GID}" countersign \
    && useradd --uid "${UID}" --gid "${GID}" --no-create-home --home-dir /tmp --shell /usr/sbin/nologin countersign \
    && install --directory --mode 0700 --owner "${UID}" --group "${GID}" /var/lib/countersign /run/countersign
COPY --from=build /opt/countersign /opt/countersign
ENV PATH=/opt/countersign/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COUNTERSIGN_CONFIG=/etc/countersign/countersign.toml
WORKDIR /var/lib/countersign
USER ${UID}:${GID}
EXPOSE 8321
CMD ["countersign", "serve"]
