// Holds trees and notes made by evidence_tool against golang.org/x/mod/sumdb/{tlog,note}. Reads evidence_tool's output on
// stdin: mode "trees" or "note" as first argument; mode "sign" makes a note and prints its verifier key first.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type memory []tlog.Hash

func (m memory) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		out[i] = m[x]
	}
	return out, nil
}

func hashes(words []string) (out []tlog.Hash) {
	for _, w := range words {
		b, err := hex.DecodeString(w)
		if err != nil || len(b) != 32 {
			fmt.Println("not a hash:", w)
			os.Exit(1)
		}
		var h tlog.Hash
		copy(h[:], b)
		out = append(out, h)
	}
	return
}

func must(err error, what string) {
	if err != nil {
		fmt.Println(what, err)
		os.Exit(1)
	}
}

func trees() {
	var stored memory
	roots := map[int64]tlog.Hash{}
	count := 0
	grow := func(n int64) {
		for have := int64(len(roots)); have < n; have++ {
			hs, err := tlog.StoredHashes(have, []byte(strconv.FormatInt(have, 10)), stored)
			must(err, "StoredHashes")
			stored = append(stored, hs...)
			roots[have+1], err = tlog.TreeHash(have+1, stored)
			must(err, "TreeHash")
		}
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		w := strings.Fields(in.Text())
		a, _ := strconv.ParseInt(w[1], 10, 64)
		switch w[0] {
		case "root":
			grow(a)
			if roots[a] != hashes(w[2:3])[0] {
				fmt.Println("root differs:", a)
				os.Exit(1)
			}
		case "path":
			i, _ := strconv.ParseInt(w[2], 10, 64)
			leaf := tlog.RecordHash([]byte(w[2]))
			must(tlog.CheckRecord(tlog.RecordProof(hashes(w[3:])), a, roots[a], i, leaf), "CheckRecord")
			want, err := tlog.ProveRecord(a, i, stored)
			must(err, "ProveRecord")
			if fmt.Sprint(want) != fmt.Sprint(tlog.RecordProof(hashes(w[3:]))) {
				fmt.Println("path differs:", a, i)
				os.Exit(1)
			}
		case "consistency":
			n, _ := strconv.ParseInt(w[2], 10, 64)
			must(tlog.CheckTree(tlog.TreeProof(hashes(w[3:])), n, roots[n], a, roots[a]), "CheckTree")
		}
		count++
	}
	fmt.Println("agreed on", count)
}

func open() {
	all, err := io.ReadAll(os.Stdin)
	must(err, "read")
	vkey, msg, _ := bytes.Cut(all, []byte("\n"))
	v, err := note.NewVerifier(string(vkey))
	must(err, "NewVerifier")
	n, err := note.Open(msg, note.VerifierList(v))
	must(err, "Open")
	fmt.Println("signed by", n.Sigs[0].Name, "ignored", len(n.UnverifiedSigs))
}

func sign() {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	vkey, err := note.NewEd25519VerifierKey("go.example/log", key.Public().(ed25519.PublicKey))
	must(err, "NewEd25519VerifierKey")
	hash := strings.Split(vkey, "+")[1]
	id, _ := strconv.ParseUint(hash, 16, 32)
	s := signer{"go.example/log", uint32(id), key}
	msg, err := note.Sign(&note.Note{Text: "a text\n\nwith an empty line\n"}, s)
	must(err, "Sign")
	fmt.Printf("%s\n%s", vkey, msg)
}

type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

func (s signer) Name() string                    { return s.name }
func (s signer) KeyHash() uint32                 { return s.hash }
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

func main() {
	switch os.Args[1] {
	case "trees":
		trees()
	case "note":
		open()
	case "sign":
		sign()
	}
}
