#!/bin/sh
# Print the path of a Python that the course supports: of the names given, or else `python3`, the newest of the others,
# one that uv fetches. Each is run: a pyenv shim is there even when what it stands for is not.
supported="3.14 3.13 3.12 3.11"
code='import sys; "%d.%d" % sys.version_info[:2] in sys.argv or sys.exit(1); print(sys.executable)'

first_of() {
    for name in "$@"; do
        "$name" -c "$code" $supported 2>/dev/null && exit
    done
}

if [ $# -gt 0 ]; then
    first_of "$@"
else
    first_of python3 $(printf 'python%s ' $supported)
    if ! uv=$(command -v uv); then
        python3 -m venv build/uv >&2 && build/uv/bin/pip install --quiet --constraint constraints.txt uv >&2
        uv=build/uv/bin/uv
    fi 2>/dev/null
    "$uv" python install --quiet 3.13 2>/dev/null
    first_of "$("$uv" python find --managed-python 3.13 2>/dev/null)"
fi

echo "The course needs Python 3.11, 3.12, 3.13 or 3.14, and none was found that runs: install one (Debian 12 and 13," \
    "Ubuntu 24.04 and newer: 'sudo apt-get install python3 python3-venv'), or name it with make PYTHON=/path/to/python3" >&2
exit 1
