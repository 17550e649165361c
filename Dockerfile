# Two stages on Debian 12: the first has the compilers, the second the programs and the libraries that they load. Not run as root.
FROM debian:12 AS build
WORKDIR /src
COPY tests/support/packages.txt tests/support/install.sh tests/support/
RUN tests/support/install.sh build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DNLB_TESTS=OFF -DNLB_BENCH=OFF && cmake --build --preset release \
 && cmake --install build/release --prefix /usr/local --strip
# The packages that own the libraries which the programs load: what the second stage has to install, and no more.
RUN ldd /usr/local/bin/nlb-* | awk '/=> \// { print $3 }' | sort -u | xargs -n 1 readlink -f | sed 's|^/lib/|/usr/lib/|' \
 | while read -r file; do dpkg -S "$file" 2>/dev/null || dpkg -S "${file#/usr}"; done | cut -d: -f1 | sort -u >/packages

FROM debian:12-slim
COPY --from=build /packages /tmp/packages
RUN apt-get update -qq && xargs apt-get install -y -qq --no-install-recommends </tmp/packages && rm -rf /var/lib/apt/lists/* /tmp/packages \
 && useradd --system --no-create-home --home-dir /nonexistent nlb && install -d -o nlb -g nlb /run/nlb /var/lib/nlb /etc/nlb
COPY --from=build /usr/local/bin/ /usr/local/bin/
COPY --from=build /usr/local/share/ /usr/local/share/
USER nlb
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["nlb-forward"]
CMD ["--config", "/etc/nlb/nlb.yaml"]
