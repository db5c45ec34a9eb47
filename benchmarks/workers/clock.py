"""The clock of the measurements: the time that passes, or with BENCH_CPU_TIME the seconds that this process computes.

Other work on the machine hardly changes the latter. They are those of all threads together, so compare on one thread.
"""

import os
import time

clock = time.process_time if "BENCH_CPU_TIME" in os.environ else time.perf_counter
