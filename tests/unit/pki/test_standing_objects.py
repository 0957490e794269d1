"""What a serving process keeps for ever is set aside from the garbage collector, and nothing else is."""

import subprocess
import sys
from typing import Final

from pki.web.standing_objects import MOST_TIMES, WORTH_SETTING_ASIDE

_PRELUDE: Final = """
import gc, weakref
from pki.web.standing_objects import WORTH_SETTING_ASIDE, keep_standing_objects

class Ring:
    def __init__(self):
        self.itself = self
"""
_SERVING: Final = """
import gc, os, signal, sys
from pathlib import Path
from pki.web.local_page import listen_on_loopback
from pki.web.serving import ServingLimits, serve

async def app(scope, receive, send):
    raise AssertionError("nobody asks")

def ready():
    print(gc.get_freeze_count() > 1000, len(gc.get_objects(generation=2)) < 100)
    os.kill(os.getpid(), signal.SIGTERM)

serve(app, listen_on_loopback("127.0.0.1", 0),
      limits=ServingLimits(connections=1, stopping_seconds=1), on_ready=ready)
"""


def test_a_process_that_is_ready_has_set_aside_what_it_consists_of() -> None:
    assert _said(_SERVING) == "True True"


def test_garbage_is_still_collected() -> None:
    said = _said(
        f"{_PRELUDE}\n"
        "keep_standing_objects()\n"
        "later = weakref.ref(Ring())\n"
        "gc.collect()\n"
        "print(later() is None)"
    )
    assert said == "True"


def test_what_the_process_has_learnt_is_set_aside_when_it_is_much() -> None:
    said = _said(
        f"{_PRELUDE}\n"
        "keep_standing_objects()\n"
        "before = gc.get_freeze_count()\n"
        "learnt = [[each] for each in range(WORTH_SETTING_ASIDE // 2)]\n"
        "gc.collect()\n"
        "print(gc.get_freeze_count() - before > 1000)\n"
        "learnt += [[each] for each in range(WORTH_SETTING_ASIDE)]\n"
        "gc.collect()\n"
        "print(gc.get_freeze_count() - before >= WORTH_SETTING_ASIDE)"
    )
    assert said == "False\nTrue"


def test_a_process_sets_aside_a_few_times_only() -> None:
    said = _said(
        f"{_PRELUDE}\n"
        "keep_standing_objects()\n"
        "learnt, times, before = [], 0, gc.get_freeze_count()\n"
        f"for _ in range({MOST_TIMES} + 3):\n"
        f"    learnt.append([[each] for each in range({WORTH_SETTING_ASIDE})])\n"
        "    gc.collect()\n"
        "    now = gc.get_freeze_count()\n"
        "    times, before = times + (now > before), now\n"
        "print(times)"
    )
    assert said == str(MOST_TIMES)


def _said(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()
