#!/bin/sh
# Adds SVI to WanGP: ./install.sh [PATH] [options]     Help: ./install.sh --help
# Finds a Python 3.10 or newer; the rest is svi_install/bootstrap.py.
set -u

script=$0
while [ -L "$script" ]; do
    link=$(readlink -- "$script") || exit 1
    case $link in
        /*) script=$link ;;
        *) script=$(dirname -- "$script")/$link ;;
    esac
done
here=$(CDPATH='' cd -- "$(dirname -- "$script")" && pwd -P) || exit 1
check='import sys; sys.exit(sys.version_info < (3, 10))'
seen=''

for python in ${SVI_INSTALL_PYTHON:+"$SVI_INSTALL_PYTHON"} python3 python3.13 python3.12 python3.11 python3.10 python; do
    found=$(command -v -- "$python" 2>/dev/null) || continue
    if "$found" -I -c "$check" >/dev/null 2>&1; then
        exec "$found" -I "$here/svi_install/bootstrap.py" "$@"
    fi
    seen="$seen  $found: $("$found" --version 2>&1 | head -n 1)
"
done

for word in "$@"; do
    if [ "$word" = --json ]; then
        echo '{"schema": 1, "command": "install", "status": "failed", "checkout": null, "state": null, "changes": [],' \
            '"error": {"code": "no-python", "message": "No Python 3.10 or newer was found. Nothing was changed in WanGP.",' \
            '"hint": "Install Python, or name one in SVI_INSTALL_PYTHON."}}'
        exit 1
    fi
done
{
    echo 'svi-install: no Python 3.10 or newer was found. Nothing was changed in WanGP.'
    if [ -n "$seen" ]; then
        printf 'Found, but not usable:\n%s' "$seen"
    fi
    echo 'Install Python (https://www.python.org/downloads/, or: sudo apt install python3 python3-venv; brew install python)'
    echo 'or name one: SVI_INSTALL_PYTHON=/path/to/python ./install.sh'
} >&2
exit 1
