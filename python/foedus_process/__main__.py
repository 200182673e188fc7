# SPDX-License-Identifier: Apache-2.0
"""`python -m foedus_process [numpy|torch]`: Foedus's own architectures, perceptrons by NumPy or all of them by PyTorch."""

import sys

from .protocol import serve


def backend(library):
    if library == "torch":
        from .torch_architectures import architecture
        from .torch_models import TorchBackend

        return TorchBackend(architecture)
    if library == "numpy":
        from .numpy_models import NumpyBackend

        return NumpyBackend()
    sys.exit(f"usage: python -m foedus_process [numpy|torch]; there is no {library!r}")


serve(backend(sys.argv[1] if len(sys.argv) > 1 else "numpy"))
