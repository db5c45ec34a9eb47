# Other systems beside this machine's own: its further interpreters, and file systems of another Debian, whose packages are
# unpacked into a folder and run there by bubblewrap. DEBIAN_MIRROR names another mirror than deb.debian.org.

needed() { # PACKAGE TEST...: install a Debian package where TEST fails, if that can be done
    "${@:2}" >/dev/null 2>&1 && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "this needs Debian's package $1: install it, and run this again" >&2
        return 1
    fi
    apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends "$1"
}

debian_root() { # ROOT SUITE ARCHITECTURE PACKAGE...: the packages, and all that they depend on, unpacked below ROOT
    local root=$1 apt=$1.apt keys=/usr/share/keyrings/debian-archive-keyring.gpg file
    [ "$(cat "$root.packages" 2>/dev/null)" = "${*:2}" ] && return
    needed debian-archive-keyring test -e "$keys"
    needed bubblewrap command -v bwrap
    rm -rf "$root" "$apt"
    mkdir -p "$root"/usr/{bin,lib,lib64,sbin} "$apt"/{lists,archives}/partial
    for name in bin lib lib64 sbin; do ln -s "usr/$name" "$root/$name"; done
    : >"$apt/status"
    echo "deb [signed-by=$keys] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} $2 main" >"$apt/sources.list"
    local options=(
        --quiet=2 -o APT::Architecture="$3" -o APT::Architectures="$3" -o APT::Sandbox::User=root
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o Dir::State="$apt" -o Dir::Cache="$apt"
        -o Dir::State::status="$apt/status" -o Dir::Etc::SourceList="$apt/sources.list"
        -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Parts=/dev/null
    )
    apt-get "${options[@]}" update
    apt-get "${options[@]}" install --yes --download-only "${@:4}" >/dev/null
    for file in "$apt"/archives/*.deb; do dpkg --extract "$file" "$root"; done
    rm -rf "$apt"
    echo "${*:2}" >"$root.packages"
}

in_root() { # ROOT ARGUMENT...: run bubblewrap's arguments, the last of them a command, with ROOT as the file system
    bwrap --bind "$1" / --dev /dev --proc /proc --tmpfs /tmp --die-with-parent "${@:2}"
}

is_version() { # INTERPRETER VERSION: with a "t" at the end a free-threaded one
    local print='import sys, sysconfig as c; print("%d.%d" % sys.version_info[:2], end="t" * bool(c.get_config_var("Py_GIL_DISABLED")))'
    [ "$("$1" -c "$print" 2>/dev/null)" = "$2" ]
}

# What PYTHON314 (PYTHON312, PYTHON314t …) names, else one on the path, else pyenv's.
interpreter() { # VERSION: print the path of an interpreter of this machine
    local variable=PYTHON${1//./} found
    for found in "${!variable:-}" "$(command -v "python$1")" "${PYENV_ROOT:-$HOME/.pyenv}/versions/${1%t}".*/bin/python; do
        is_version "$found" "$1" && echo "$found" && return
    done
    return 1
}
