"""What is installed, what is missing, and how to mend it: behind ``rheobase doctor``.

Only the standard library, `packaging` and `rich` are imported here: whatever may be broken is tried
in processes of their own (`probes`), which may crash.
"""

from rheobase._doctor.check import Check
from rheobase._doctor.examine import examine

__all__ = ["Check", "examine"]
