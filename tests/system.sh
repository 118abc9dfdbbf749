#!/bin/sh
# Install what the tests need and the machine lacks: PostgreSQL, YAZ, Zebra, Chromium, fonts. Only as root with apt;
# elsewhere pytest deselects the tests that need them and lists them in one line.
set -u
missing=""
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v yaz-ztest >/dev/null 2>&1 || missing="$missing yaz"
command -v zebrasrv >/dev/null 2>&1 || missing="$missing idzebra-2.0"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium fonts-noto-core"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "not installed (needs root and apt):$missing"
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# Debian's own cluster is of no use to the tests: they start their own
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
apt-get update -qq || echo "apt-get update failed"
for package in $missing; do
	apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "apt has no $package"
done
exit 0
