#!/bin/sh
# Installs the core and runs quick tests with each Python that diarist supports and this machine has.
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
failed=0 table=""
for version in 3.11 3.12 3.13 3.14; do
    result="not tried: not found here"
    for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python \
        "$(uv python find --no-python-downloads "$version" 2>/dev/null)"; do
        "$python" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" >/dev/null 2>&1 || continue
        full=$("$python" -c 'import platform; print(platform.python_version())')
        rm -rf "$work/venv"
        if "$python" -m venv "$work/venv" &&
            "$work/venv/bin/python" -m pip install --quiet --require-hashes -r requirements/core.txt &&
            "$work/venv/bin/python" -m pip install --quiet --no-deps --editable . &&
            "$work/venv/bin/python" -m pip install --quiet pytest pytest-timeout hypothesis &&
            "$work/venv/bin/python" -m pytest -q -p no:cacheprovider tests/model tests/test_attribution.py tests/test_extras.py &&
            "$work/venv/bin/diarist" transcribe "$("$work/venv/bin/diarist" models pull sample-telephone)/sample.wav" |
            grep -q SPEAKER_01
        then result="works ($full)"; else result="FAILS ($full)" failed=1; fi
        break
    done
    echo "$version  $result"
    table="$table$version  $result
"
done
printf '\nPython\n%s' "$table"
exit $failed
