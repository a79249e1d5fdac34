"""Writes a bill of materials (CycloneDX 1.6, JSON) for each image: build/sbom/NAME.cdx.json.

    python -m scripts.supply.sbom [--version VERSION] [NAME...]

It has what the lock files put into the image. What its base image contains is added by the build
of a release (`--sbom`). Two runs write the same bytes.
"""

import argparse
import base64
import hashlib
import re
import uuid
from pathlib import Path
from typing import Final

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from scripts.supply.licences import licence_of
from scripts.supply.locked import ROOT, Package, images, packages

FOLDER: Final = ROOT / "build" / "sbom"
SOURCE: Final = "https://pypi.org/project/{}/{}/"
_DIGEST: Final = "waypost:locked-sha256"
_BASE: Final = re.compile(r"^ARG BASE_IMAGE=(\S+)$", re.MULTILINE)


def bill(image: str, version: str) -> str:
    """The document of an image: the same for the same lock files and version."""
    subject = Component(
        type=ComponentType.CONTAINER,
        name=f"waypost-{image}",
        version=version,
        bom_ref=f"waypost-{image}",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        properties=[Property(name="waypost:base-image", value=_base(image))],
    )
    bom = Bom(components=[_component(one) for one in packages(image)])
    bom.metadata.component = subject
    bom.register_dependency(subject, bom.components)
    # The library takes None, and then writes no time; its annotation does not say so.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    content = repr((image, version, packages(image)))
    bom.serial_number = uuid.UUID(hashlib.sha256(content.encode()).hexdigest()[:32])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(package: Package) -> Component:
    purl = PackageURL(*_purl(package))
    licence = licence_of(package)
    pypi = package.ecosystem == "pypi"
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        # Of a Python package the lock file has the digest of each file; one of them is installed.
        properties=[Property(name=_DIGEST, value=one) for one in package.digests if pypi],
        hashes=[] if pypi else [_integrity(package)],
        external_references=[_page(package)] if pypi else [],
    )


def _purl(package: Package) -> tuple[str, str, str, str]:
    namespace, _, name = package.name.rpartition("/")
    return package.ecosystem, namespace, name, package.version


def _integrity(package: Package) -> HashType:
    [digest] = package.digests
    return HashTypeFactory().from_composite_str(f"sha512:{base64.b64decode(digest).hex()}")


def _page(package: Package) -> ExternalReference:
    url = XsUri(SOURCE.format(package.name, package.version))
    return ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=url)


def _base(image: str) -> str:
    [found] = _BASE.findall((ROOT / "node-images" / image / "Dockerfile").read_text("utf-8"))
    return str(found)


def main() -> None:
    """Write the documents of the images that are named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="dev")
    parser.add_argument("images", nargs="*", default=images(), metavar="NAME")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for image in given.images:
        file: Path = FOLDER / f"{image}.cdx.json"
        file.write_text(bill(image, given.version), encoding="utf-8")
        print(f"sbom: {file.relative_to(ROOT)}, {len(packages(image))} packages")


if __name__ == "__main__":
    main()
