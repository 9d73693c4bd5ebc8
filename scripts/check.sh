#!/usr/bin/env bash
# Everything that must hold before a change is merged; see CONTRIBUTING.md. Needs no network. Stops at the first failure.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step() {
  echo "== $1"
  shift
  "$@" || {
    echo "== failed: $*" >&2
    exit 1
  }
}

compare_generated() {
  buf generate --output "$work" && diff -r gen "$work/gen" && return
  echo "gen/ is not what the protos generate: npm run generate"
  return 1
}

compare_baseline() {
  buf build proto --output "$work/present.binpb" && buf breaking "$work/present.binpb" --against proto/baseline.binpb --exclude-imports
}

# CI reads the last line. A run that failed without a failed test, such as by an error outside of all, counts as one.
run_tests() {
  local status=0
  vitest run --reporter=default --reporter=json --outputFile.json="$work/tests.json" || status=$?
  [ -f "$work/tests.json" ] || echo '{"numPassedTests": 0, "numFailedTests": 0}' >"$work/tests.json"
  node -p '
    const [file, status] = process.argv.slice(1);
    const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(fs.readFileSync(file));
    `${passed} passed, ${Math.max(failed, status === "0" ? 0 : 1)} failed`' "$work/tests.json" "$status"
  return "$status"
}

step "protos of other packages" node scripts/third-party.mjs
step "lint protos" buf lint
step "format of protos" buf format proto --diff --exit-code
step "generated code" compare_generated
step "breaking changes" compare_baseline
step "format and lint" biome check
step "types" tsc --noEmit
step "types of the page" tsc -p examples/shopper
step "build" npm run --silent build
echo "== tests"
run_tests
