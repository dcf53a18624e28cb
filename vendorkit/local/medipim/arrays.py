"""The types of the columns that the Medipim mock server computes, one value per record."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
