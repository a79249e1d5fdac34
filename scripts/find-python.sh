#!/bin/sh
# Prints the first Python 3.11 or newer on PATH; explains what to install when there is none.
set -u

for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    path=$(command -v "$name" 2>/dev/null) || continue
    if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        # The interpreter itself, not a shim that looks at the current directory.
        exec "$path" -c 'import sys; print(sys.executable)'
    fi
done

found=$(python3 --version 2>&1) || found="no python3 on PATH"
cat >&2 <<EOF
error: Waypost needs Python 3.11 or newer
  found: $found
  do:    install one (Debian 12+, Ubuntu 24.04+: apt-get install python3; macOS: brew install
         python) and run the same command again
EOF
exit 1
