#!/bin/sh
# Prints the Python that .venv is made with: $PYTHON or python3 if new enough, else a newer one on PATH, else uv's.
fits='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'
first=${PYTHON:-python3}
for python in "$first" python3.14 python3.13 python3.12 python3.11 python; do
    if "$python" -c "$fits" >/dev/null 2>&1; then
        [ "$python" = "$first" ] || echo "diarist needs Python 3.11 to 3.14; $first does not fit, so $python is taken." >&2
        command -v "$python"
        exit
    fi
done
if python=$(uv python find '>=3.11,<3.15' 2>/dev/null) && "$python" -c "$fits" >/dev/null 2>&1; then
    echo "diarist needs Python 3.11 to 3.14; $first does not fit, so uv's $python is taken." >&2
    echo "$python"
    exit
fi
found=$("$first" -c 'import platform; print(platform.python_version())' 2>/dev/null) || found="not there"
echo "error: diarist needs Python 3.11 to 3.14 with its venv module; $first is $found." >&2
echo "  hint: install one (Debian, Ubuntu: apt install python3-venv; anywhere: uv python install 3.13) and run make again," >&2
echo "        or name one: make demo PYTHON=/path/to/python3" >&2
exit 1
