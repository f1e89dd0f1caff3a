"""TOML files against pydantic models: one way to validate, and errors that name file, line and field.

It reads ``wattrail.toml``, tariffs and scenarios. The models are imported when a file is read, so ``import wattrail``
loads no pydantic. Where pydantic is missing, the error has the command that installs it.
"""

from wattrail.toml_schema.validation import (
    FieldProblem,
    field_error,
    field_problems,
    model_errors,
    needs_pydantic,
    read_model,
)

__all__ = ["FieldProblem", "field_error", "field_problems", "model_errors", "needs_pydantic", "read_model"]
