#!/bin/sh
# Prints the folder with the programs of a PostgreSQL server for the tests of the archive; installs it on Debian and
# Ubuntu when run as root.
set -eu

newest() { # those of Debian are not on PATH
    for program in /usr/lib/postgresql/*/bin/initdb; do
        [ ! -x "$program" ] || echo "${program%/initdb}"
    done | sort -V | tail -n 1
}

if program=$(command -v initdb 2>/dev/null); then
    dirname "$(readlink -f "$program")"
    exit 0
fi
if [ -z "$(newest)" ]; then
    if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        # Otherwise the package makes a database and starts a service.
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    fi
    "$(dirname "$0")/debian.sh" "PostgreSQL for the tests" "no initdb on PATH or in /usr/lib/postgresql" \
        "install PostgreSQL (Debian: apt-get install postgresql)" postgresql
fi
newest
