#!/usr/bin/env bash
# Trees, proofs and notes against Go's x/mod/sumdb, from Debian's golang-golang-x-mod-dev or from the copy inside the Go
# distribution. No network. Usage: go.sh EVIDENCE_TOOL SOURCE_DIR. TAP on stdout.
set -u
tool=$(readlink -f "$1") here=$2/tests/blackbox/go
echo 1..3
skip() { for i in 1 2 3; do echo "ok $i - Go's sumdb # SKIP $1"; done; exit 0; }
command -v go >/dev/null || skip "go is not installed"
root=$(GO111MODULE=off go env GOROOT)
mod=
for d in /usr/share/gocode/src/golang.org/x/mod "$root/src/cmd/vendor/golang.org/x/mod"; do [ -d "$d/sumdb/note" ] && { mod=$d; break; }; done
[ -n "$mod" ] || skip "golang.org/x/mod is not installed"
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/src/golang.org/x" "$dir/src/holds"
cp -r "$mod" "$dir/src/golang.org/x/mod" && cp "$here/main.go" "$dir/src/holds/"
export GO111MODULE=off GOPATH=$dir GOCACHE=$dir/cache GOFLAGS= GOTOOLCHAIN=local
(cd "$dir/src/holds" && go build -o "$dir/holds" . ) >"$dir/log" 2>&1 || skip "its sumdb does not build here: $(head -1 "$dir/log")"
n=0
is() { n=$((n + 1)); if [ "$2" = "$3" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "# got '$2', wanted '$3'"; fi; }
is "roots, audit paths and consistency proofs of all trees up to 70" "$("$tool" trees 70 | "$dir/holds" trees)" "agreed on 5040"
is "our checkpoint opens, the unknown signature is ignored" "$("$tool" note host.example/log 5 70 | "$dir/holds" note)" "signed by host.example/log ignored 1"
"$dir/holds" sign >"$dir/signed"
tail -n +2 "$dir/signed" >"$dir/its-note"
is "Go's note opens here" "$("$tool" opens "$(head -1 "$dir/signed")" "$dir/its-note")" "good"
