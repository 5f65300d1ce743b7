"""Regular expressions as Kubernetes and Envoy read them: RE2, linear in the length of the text. Pure."""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=512)
def expression(text: str) -> Any:
    """A compiled expression, used as Python's own would be. Raises ValueError with the reason."""
    import re2  # 3 MB, for those who meet an expression

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise ValueError(error.args[0].decode(errors="replace")) from error
