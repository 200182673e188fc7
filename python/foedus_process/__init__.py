# SPDX-License-Identifier: Apache-2.0
"""A member's own model as Foedus's training engine: a process that answers messages on standard input and output.

The wire format is docs/engines.md of Foedus. `serve` takes the models of this process and answers until Foedus closes the pipe.
"""

from .protocol import PROTOCOL_VERSION, Refusal, serve

__all__ = ["PROTOCOL_VERSION", "Refusal", "serve"]
__version__ = "0.1.0"
