# shellcheck shell=bash
# The Python of an experiment's scripts. Sourced by the run.sh of experiments that have a requirements.txt.

# Prints the Python to use: the one that was named, or that of FOLDER/venv, into which the requirements are installed
# from PyPI.
python_in() { # FOLDER REQUIREMENTS [PYTHON]
    local python=${3:-}
    if [[ -z $python ]]; then
        python=$1/venv/bin/python
        [[ -x $python ]] || python3 -m venv "$1/venv" >&2
        "$python" -m pip install --quiet --disable-pip-version-check -r "$2" >&2
    fi
    printf '%s\n' "$python"
}

# Ends with status 77 (a test that is skipped) where PYTHON can't do these imports.
need_packages() { # PYTHON CODE
    "$1" -c "$2" 2>/dev/null || {
        echo "run.sh: $1 lacks a package of requirements.txt" >&2
        exit 77
    }
}
