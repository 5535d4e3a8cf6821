# What the scripts of this folder share: a folder of their own, a policy, a key, a password, and a search that is not ours.
set -euo pipefail
export LC_ALL=C
here=$(realpath "$(dirname "$0")")
program=$(realpath "${1:?name the program: target/release/dumpscrub}")
folder=$(mktemp -d /tmp/clientsXXXXXX)
trap 'rm -r "$folder"' EXIT
cd "$folder"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem 2>/dev/null
password=$(openssl rand -hex 12)
printf 'version = 1\npreset = "redact"\n[folders]\nrelease = "release"\nquarantine = "quarantine"\nstate = "state"\n' >policy.toml

fail() { echo "FAILED: $1"; exit 1; }
forms() { grep -v -- ----- key.pem; echo "$password"; }
# How many of the key's lines, and of the password, a file holds.
held() {
  local form count=0
  while read -r form; do
    if grep -qaF -- "$form" "$@"; then count=$((count + 1)); fi
  done < <(forms)
  echo "$count"
}
must_hold() { [ "$(held "$@")" -gt 0 ] || fail "before: no secret is in $*: nothing is shown"; }
must_not_hold() { [ "$(held "$@")" -eq 0 ] || fail "after: $(held "$@") secrets are in $*"; }
