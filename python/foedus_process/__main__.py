# SPDX-License-Identifier: Apache-2.0
"""`python -m foedus_process`: Foedus's own logistic regression and perceptrons, computed by NumPy."""

from .numpy_models import NumpyBackend
from .protocol import serve

serve(NumpyBackend())
