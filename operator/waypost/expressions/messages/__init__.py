"""Errors of the library as messages for users, with the place in the source.

`rejected.py`: expressions that do not compile; `failed.py`: evaluations without a value;
`elsewhere.py`: what people write who know another language. Imports paths and values of
`waypost.expressions`.
"""

from waypost.expressions.messages.failed import explain_failure, operands_tip
from waypost.expressions.messages.rejected import explain_refusal, explain_rejection

__all__ = ["explain_failure", "explain_refusal", "explain_rejection", "operands_tip"]
