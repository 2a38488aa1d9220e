# Build stage: one static binary for the platform of the image.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# Static C library. Names are resolved by what is linked in, and no module of
# another library is loaded, for the image has no /etc/nsswitch.conf. With an
# explicit target the flag does not reach build scripts and procedural macros,
# which must stay dynamic. Where it has been counted what runs often (see
# deploy/train), the compiler knows it.
COPY deploy/profiles profiles
RUN set -eu; \
    target="$(rustc -vV | sed -n 's/^host: //p')"; \
    profile="/build/profiles/$target.profdata"; \
    flags='"-Ctarget-feature=+crt-static"'; \
    [ ! -f "$profile" ] || flags="$flags, \"-Cprofile-use=$profile\", \"-Cllvm-args=-no-pgo-warn-mismatch\""; \
    mkdir .cargo; \
    printf '[build]\ntarget = "%s"\nrustflags = [%s]\n' "$target" "$flags" > .cargo/config.toml

# Dependencies, in a layer of their own: only the manifests decide its age. The
# stand-ins are all that Cargo needs of the package, because the manifest names
# the file of every target.
COPY Cargo.toml Cargo.lock ./
RUN set -eu; \
    mkdir src; \
    touch src/lib.rs; \
    echo 'fn main() {}' > src/main.rs; \
    cargo build --release --locked --bin backstop; \
    rm -r src

# COPY keeps the modification times of the checkout, which may be older than the
# stand-ins; touch makes Cargo build the real sources.
COPY src src
RUN set -eu; \
    find src -type f -exec touch {} +; \
    cargo build --release --locked --bin backstop; \
    install -D -m 0755 target/*/release/backstop /out/backstop; \
    install -d -m 0755 /out/state

# Final stage: the binary and nothing else. CA roots are part of the binary.
FROM scratch
LABEL org.opencontainers.image.title="backstop" \
      org.opencontainers.image.description="A failover proxy for LLM APIs: one OpenAI-compatible endpoint in front of every provider you have." \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

COPY --from=build /out/backstop /usr/local/bin/backstop

# The history, and which upstream created what, over a restart.
COPY --from=build --chown=65532:65532 /out/state /var/lib/backstop
ENV BACKSTOP_STATE_DIR=/var/lib/backstop
VOLUME /var/lib/backstop

# Mount the configuration as /etc/backstop/backstop.yaml.
WORKDIR /etc/backstop

# These override the addresses in the configuration. All interfaces of the
# container, not of the host: publish the ports on the addresses you want.
ENV BACKSTOP_LISTEN=0.0.0.0:4000 \
    BACKSTOP_ADMIN_LISTEN=0.0.0.0:4001
EXPOSE 4000 4001

USER 65532:65532
STOPSIGNAL SIGTERM

# The first probe runs one interval after the start. No --start-interval: Docker
# Engine before 25 cannot parse it.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/backstop", "healthcheck"]

ENTRYPOINT ["/usr/local/bin/backstop"]
CMD ["serve"]
