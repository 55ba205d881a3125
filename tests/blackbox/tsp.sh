#!/usr/bin/env bash
# Timestamps against `openssl ts`: our requests are answered by its authority, its responses hold here, ours there, and each
# kind of wrong response is refused. Usage: tsp.sh EVIDENCE_TOOL. TAP on stdout.
set -u
tool=$(readlink -f "$1")
echo 1..9
command -v openssl >/dev/null || { for i in 1 2 3 4 5 6 7 8 9; do echo "ok $i - timestamps # SKIP openssl is not installed"; done; exit 0; }
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
n=0
is() { n=$((n + 1)); if [ "$2" = "$3" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "# got '$2', wanted '$3'"; fi; }
cat >tsa.cnf <<'CNF'
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Test authority
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[stamper]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
[tsa]
default_tsa = t
[t]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
CNF
cert() { # name subject extensions
	openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -subj "/CN=$2" -config tsa.cnf -out "$1.csr" 2>/dev/null &&
		openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile tsa.cnf -extensions "$3" -out "$1.pem" 2>/dev/null
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -config tsa.cnf -extensions ca 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 30 -config tsa.cnf -extensions ca -subj "/CN=Other" 2>/dev/null
cert tsa "Stamper" stamper
echo 01 >serial
printf 'a note\n' >data
printf 'a nota\n' >changed
"$tool" request data 0123456789abcdef >q.tsq
is "openssl reads our request" "$(openssl ts -query -in q.tsq -text 2>/dev/null | grep -c -e 'Hash Algorithm: sha256' -e 'Certificate required: yes')" 2
openssl ts -reply -config tsa.cnf -section t -queryfile q.tsq -out r.tsr 2>/dev/null
is "openssl verifies the response to it" "$(openssl ts -verify -queryfile q.tsq -in r.tsr -CAfile ca.pem 2>/dev/null | head -1)" "Verification: OK"
is "so do we, with the chain" "$("$tool" check data r.tsr q.tsq ca.pem | sed 's/: .* nonce/: nonce/; s/serial.*by/by/')" "good: nonce 1 chain 1 by CN=Stamper"
is "and without authorities, all but the chain" "$("$tool" check data r.tsr q.tsq - | grep -c 'chain 0')" 1
is "other bytes are refused" "$("$tool" check changed r.tsr - ca.pem)" "refused: timestamp: it stamps other bytes"
is "another authority is refused" "$("$tool" check data r.tsr q.tsq other.pem | cut -d: -f1-3)" "refused: timestamp: its signature does not hold"
"$tool" request data 1111111111111111 >q2.tsq
is "the answer to another request is refused" "$("$tool" check data r.tsr q2.tsq ca.pem)" "refused: timestamp: it answers another request"
bad=0
size=$(stat -c %s r.tsr)
for at in $(seq 40 97 "$size"); do
	cp r.tsr x.tsr
	printf '\x5a' | dd of=x.tsr bs=1 seek="$at" conv=notrunc 2>/dev/null
	cmp -s r.tsr x.tsr && continue
	ours=$("$tool" check data x.tsr q.tsq ca.pem | grep -c good)
	theirs=$(openssl ts -verify -queryfile q.tsq -in x.tsr -CAfile ca.pem 2>/dev/null | grep -c 'Verification: OK')
	[ "$ours" = "$theirs" ] || { bad=$((bad + 1)); echo "# byte $at: ours $ours, openssl $theirs"; }
done
is "changed bytes: the same verdict as openssl" "$bad" 0
openssl ts -query -data data -sha512 -cert -out q5.tsq 2>/dev/null
openssl ts -reply -config tsa.cnf -section t -queryfile q5.tsq -out r5.tsr 2>/dev/null
is "another hash is refused" "$("$tool" check data r5.tsr - ca.pem)" "refused: timestamp: it stamps other bytes"
