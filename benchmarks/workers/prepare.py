"""Make the files that a peer runs, with the peer's own tools. The argument is that of `open_peer`, as JSON."""

import json
import sys

from opening import setting
from peers import PEERS, prepare

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    label = given.pop("peer")
    prepare(label, PEERS[label], setting(**given))
