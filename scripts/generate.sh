#!/usr/bin/env bash
# Writes docs/ from the provider's schemas, templates/ and examples/, and formats
# the examples. Always with OpenTofu, for the same output everywhere: a Terraform
# before 1.12 leaves out the resources' identities. What OpenTofu leaves out, the actions,
# scripts/schemas adds.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
cli=$(scripts/cli.sh tofu)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

go build -o "$dir/" .
cat >"$dir/cli.tfrc" <<EOF
provider_installation {
  dev_overrides { "clocker/clocker" = "$dir" }
  direct {}
}
EOF
cat >"$dir/main.tf" <<'EOF'
terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
  }
}
EOF
# tfplugindocs knows one address only.
export TF_CLI_CONFIG_FILE=$dir/cli.tfrc
"$cli" -chdir="$dir" providers schema -json |
    sed -E 's,"registry\.(terraform\.io|opentofu\.org)/clocker/clocker","registry.terraform.io/hashicorp/clocker",' |
    go run ./scripts/schemas >"$dir/schema.json"

scripts/tool.sh tfplugindocs generate --provider-name clocker --providers-schema "$dir/schema.json"
scripts/tool.sh tfplugindocs validate --provider-name clocker --providers-schema "$dir/schema.json"
if [ -d examples ]; then
    "$cli" fmt -recursive examples
fi
