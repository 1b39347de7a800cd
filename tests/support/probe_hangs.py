"""Stands in for the probing child: says it is ready, then never answers."""

import sys
import time

sys.stdout.write('{"ok": true}\n')
sys.stdout.flush()
for _ in sys.stdin:
    time.sleep(60)
