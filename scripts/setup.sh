#!/bin/sh
# Makes .venv with the package, the viewer and the development tools, and leaves it alone while it is
# up to date. Installs system libraries where it may (root on Debian), else names what is missing.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

is_python() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python; do
        if is_python "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

# What Qt and OpenGL need on a machine without a desktop; proven on a bare Debian 12.
GUI_PACKAGES="xvfb xauth libegl1 libgl1 libgl1-mesa-dri libxkbcommon-x11-0 libfontconfig1 libdbus-1-3
 libglib2.0-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-image0
 libxcb-render-util0 libxcb-randr0 libxcb-xkb1"

apt_install() {
    say "Installing system packages: $*"
    # An unreachable third-party source makes update fail although Debian's own lists are fine.
    apt-get update -qq >/dev/null 2>&1 || say "apt-get update failed; going on with the lists there are."
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

missing_packages() {
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
}

if [ "$(uname -s)" = Linux ] && command -v dpkg-query >/dev/null 2>&1; then
    # shellcheck disable=SC2086  # a list of words
    missing=$(missing_packages $GUI_PACKAGES | tr '\n' ' ')
    if [ -n "$missing" ]; then
        if can_install; then
            # shellcheck disable=SC2086
            apt_install $missing
        else
            say "These system packages are missing, and the viewer and its tests need them;" \
                "ask an administrator to run: apt-get install $missing"
        fi
    fi
elif [ "$(uname -s)" = Linux ] && ! command -v xvfb-run >/dev/null 2>&1; then
    say "xvfb-run is missing, and the viewer's tests need it: install your distribution's Xvfb package."
fi

python=$(find_python)
if [ -z "$python" ] && can_install; then
    apt_install python3 python3-venv
    python=$(find_python)
fi
if [ -z "$python" ]; then
    say "Python 3.11, 3.12 or 3.13 was not found: install one, or name it with PYTHON=/path/to/python make …"
    exit 1
fi

stamp=.venv/.set-up
wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && .venv/bin/python -c 'import napari_her2'; then
    exit 0
fi

start=$(date +%s)
if [ ! -x .venv/bin/python ]; then
    say "Making .venv with $("$python" --version)"
    if ! "$python" -m venv .venv 2>/dev/null; then
        rm -rf .venv
        can_install && apt_install python3-venv
        "$python" -m venv .venv
    fi
fi
pip() { .venv/bin/python -m pip --disable-pip-version-check -qq "$@"; }

# torch first: a CPU build that pip is pointed at (find-links, an index) then stays, and nothing
# later draws in several GB for a graphics card.
torch=$(grep '^torch==' constraints.txt)
say "Installing $torch"
pip install -c constraints.txt "$torch"
say "Installing the package, the viewer and the tools"
pip install -c constraints.txt -e ".[all,dev]"
echo "$wanted" > "$stamp"
say "Set up in $(( $(date +%s) - start )) s"
