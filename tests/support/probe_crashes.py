"""Stands in for the probing child: says it is ready, then dies as a C library would."""

import os
import sys

sys.stdout.write('{"ok": true}\n')
sys.stdout.flush()
for _ in sys.stdin:
    os.abort()
