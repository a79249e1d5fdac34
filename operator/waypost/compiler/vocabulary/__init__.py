"""Messages about unknown fields: the most similar field, or our name for one of another system.

Plain text only, so that the operator, `waypost lint` and the docs say the same. `words.py` and
`in_field.py` hold the words. Imports the models of `waypost.api` and the places of their fields.
"""

from waypost.compiler.vocabulary.unknown_fields import unknown_field
from waypost.compiler.vocabulary.words import NOT_YET, OUR_FIELD

__all__ = ["NOT_YET", "OUR_FIELD", "unknown_field"]
