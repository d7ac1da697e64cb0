# Roomlog in a small image; how to run it: docs/operations.md. No secret is in it, and nothing is written but below /data and
# /tmp, so it runs with a root file system that is read-only.
FROM python:3.11.14-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

FROM base AS build
WORKDIR /source
COPY pyproject.toml setup.cfg LICENSE README.md ./
COPY chat_app chat_app
COPY templates templates
COPY static static
RUN pip wheel --no-cache-dir --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/roomlog \
    && pip --python /opt/roomlog/bin/python install --no-cache-dir --no-index /wheels/*.whl

FROM base
LABEL org.opencontainers.image.title="Roomlog" \
      org.opencontainers.image.description="A room chat that hosts itself and loses nothing that was accepted" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --system --gid 10001 roomlog \
    && useradd --system --uid 10001 --gid roomlog --home-dir /data --no-create-home --shell /usr/sbin/nologin roomlog \
    && install --directory --mode=0700 --owner=roomlog --group=roomlog /data
COPY --from=build /opt/roomlog /opt/roomlog
ENV PATH=/opt/roomlog/bin:$PATH CHAT_ADDRESS=0.0.0.0 CHAT_DATA=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as http, os, sys; line = http.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8080), timeout=3); line.request('GET', '/readyz'); sys.exit(line.getresponse().status != 200)"]
ENTRYPOINT ["roomlog"]
CMD ["serve"]
