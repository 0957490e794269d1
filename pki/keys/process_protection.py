"""What keeps a process's memory out of files: no core file, and no other process of the same user that reads it."""

import ctypes
import os
import resource
import sys
from typing import Final

from pki.errors import KeystoreError

__all__ = ["protect_memory"]

_PR_SET_DUMPABLE: Final = 4
"""``linux/prctl.h``; with 0 neither a core file is written nor a debugger of the same user let in (prctl(2))."""


def protect_memory(*, for_good: bool = False) -> None:
    """Switch core files off for this process, twice over where the kernel can: by its limit and by its flag.

    The limit can be raised again from outside; the flag cannot. The limit passes on to children, the flag ends with
    ``execve``: every process that holds keys calls this for itself. ``for_good`` lowers the hard limit, too, for
    processes that do nothing else in their lives.

    Raises:
        KeystoreError: ``keystore.unprotected``: the system refused.
    """
    hard = 0 if for_good else resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise KeystoreError(
            f"core files cannot be switched off: {os.strerror(ctypes.get_errno())}",
            code="keystore.unprotected",
        )
