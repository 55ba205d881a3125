#!/usr/bin/env bash
# A case is made, sealed, disclosed and verified without network, as an ordinary user, from a folder that cannot be written to.
# Usage: sandbox.sh EXHIBIT SOURCE_ROOT. TAP on stdout; skipped where namespaces or users cannot be had.
set -u
exhibit=$(realpath "$1") root=$(realpath "$2")
echo 1..1
[ "$(id -u)" = 0 ] && command -v unshare >/dev/null && command -v setpriv >/dev/null && unshare -n true 2>/dev/null || { echo "ok 1 - sandbox # SKIP not root, or no namespaces"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp -r "$root/samples/first-look" "$dir/logs" && cp "$exhibit" "$dir/exhibit" && cp "$root/tools/verify.py" "$dir/" && mkdir "$dir/out"
chmod 755 "$dir" && chmod -R a+rX "$dir/logs" "$dir/exhibit" "$dir/verify.py" && chown 65534:65534 "$dir/out"
find "$dir/logs" -type f -exec sha256sum {} + | sort >"$dir/before"
cat >"$dir/steps" <<'STEPS'
set -e
cd "$1/out"
! touch "$1/logs/x" 2>/dev/null
"$1/exhibit" scan "$1/logs" -q -o x.case
"$1/exhibit" keygen team.example -o team.key >/dev/null
"$1/exhibit" seal x.case --key team.key >/dev/null
"$1/exhibit" disclose x.case --finding 2 -o one.bundle 2>/dev/null
"$1/exhibit" verify x.case -q --sources / | tail -1
"$1/exhibit" verify one.bundle -q | tail -1
python3 "$1/verify.py" x.case | tail -1
STEPS
got=$(TMPDIR=$dir/out unshare -n setpriv --reuid 65534 --regid 65534 --clear-groups bash "$dir/steps" "$dir" 2>&1)
find "$dir/logs" -type f -exec sha256sum {} + | sort >"$dir/after"
want=$'verdict: holds\nverdict: holds\nverdict: holds'
if [ "$got" = "$want" ] && cmp -s "$dir/before" "$dir/after"; then echo "ok 1 - no network, no rights, nothing written to the logs"
else echo "not ok 1 - no network, no rights, nothing written to the logs"; echo "# $got" | sed 's/^/# /'; fi
