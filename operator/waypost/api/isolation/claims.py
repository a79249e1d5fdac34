"""`spec.volumeClaims`: volumes that belong to a run."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import Model, keyed_by
from waypost.api.pod import Quantity

MOST_CLAIMS: Final = 8

ClaimName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$", max_length=40)
]
AccessMode = Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]
_ClassName = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class VolumeClaim(Model):
    """A claim of the run. It is made before the first node that mounts it, empty, and is deleted
    with the run."""

    name: ClaimName = Field(description="Its name in isolation.volumes[].volumeClaim.")
    access_modes: list[AccessMode] | None = Field(
        default=None, min_length=1, max_length=4, description="Default: ReadWriteOnce."
    )
    storage: Quantity = Field(description="Size, such as 10Gi.")
    storage_class_name: _ClassName | None = Field(
        default=None, description="StorageClass. Default: that of the cluster."
    )


VolumeClaims = Annotated[
    list[VolumeClaim] | None,
    Field(
        max_length=MOST_CLAIMS,
        description="Volumes that belong to the run, for isolation.volumes of its nodes.",
        json_schema_extra=keyed_by("name"),
    ),
]
