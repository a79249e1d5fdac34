#!/usr/bin/env bash
# The steps of a release (.github/workflows/release.yml):
#   release.sh images|chart|sign VERSION REPOSITORY FOLDER
# `images` and `chart` write NAME=REFERENCE@DIGEST into FOLDER/pushed; `sign` signs these digests,
# never a tag, which another push could move meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

step=$1 version=$2 repository=$3 folder=$4
pushed=$folder/pushed
mkdir -p "$folder"

build() { # name, further build arguments
    local name=$1 image=$repository/waypost-$1
    shift
    docker buildx build --platform linux/amd64,linux/arm64 --push \
        --provenance mode=max --sbom true \
        --build-arg "VERSION=$version" "$@" \
        --file "node-images/$name/Dockerfile" --tag "$image:$version" \
        --metadata-file "$folder/$name.json" .
    digest=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["containerimage.digest"])' "$folder/$name.json")
    echo "$name=$image@$digest" >>"$pushed"
}

case $step in
images)
    rm -f "$pushed"
    build operator
    build runner
    # The agent stands on exactly the runner that was just pushed.
    build agent --build-arg "RUNNER_IMAGE=$(sed -n 's/^runner=//p' "$pushed")"
    ;;
chart)
    helm package charts/waypost --version "$version" --app-version "$version" --destination "$folder"
    helm push "$folder/waypost-$version.tgz" "oci://$repository/charts" 2>&1 | tee "$folder/chart.log"
    digest=$(sed -n 's/^Digest: //p' "$folder/chart.log")
    echo "chart=$repository/charts/waypost@${digest:?helm printed no digest}" >>"$pushed"
    ;;
sign)
    while IFS== read -r name reference; do
        cosign sign --yes "$reference"
        if [ -f "build/sbom/$name.cdx.json" ]; then
            cosign attest --yes --type cyclonedx --predicate "build/sbom/$name.cdx.json" "$reference"
        fi
    done <"$pushed"
    ;;
*)
    echo "release.sh: unknown step $step" >&2
    exit 2
    ;;
esac
