// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/cert.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/cert.json"

// vectors is cert.json. All bytes are hex; an error is empty for what is valid.
type vectors struct {
	About   string     `json:"about"`
	ChainID string     `json:"chain_id"`
	Set     string     `json:"set"`
	Quorum  uint64     `json:"quorum"`
	Certs   []certVec  `json:"certificates"`
	Proofs  []proofVec `json:"finality_proofs"`
}

type certVec struct {
	Name      string `json:"name"`
	Bytes     string `json:"bytes"`
	SignBytes string `json:"sign_bytes,omitempty"`
	Error     string `json:"error,omitempty"`
}

type proofVec struct {
	Name   string `json:"name"`
	Header string `json:"header"`
	Bytes  string `json:"bytes"`
	Error  string `json:"error,omitempty"`
}

func class(err error) string {
	for name, e := range map[string]error{
		"malformed": ErrMalformed, "not_member": ErrNotMember, "signature": ErrSignature, "epoch": ErrEpoch, "quorum": ErrQuorum, "proof": ErrProof,
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	return ""
}

func makeVectors(t *testing.T) vectors {
	set, _ := network(t, 4, 3, 2, 1)
	v := vectors{
		About:   "Certificates (CONS-11, CONS-12) and finality proofs (CONS-32, CONS-40) of a set of four, whose Ed25519 seeds are 32 bytes of 01 to 04 in set order. The error is the first refusal's class.",
		ChainID: hex.EncodeToString(chainID[:]), Set: hex.EncodeToString(set.Encode()), Quorum: set.Quorum(),
	}
	for _, c := range certCases(t) {
		vec := certVec{Name: c.name, Bytes: hex.EncodeToString(c.c.Encode()), Error: class(c.want)}
		if c.want == nil && c.c.Kind == Aggregate {
			vec.SignBytes = hex.EncodeToString(FinalBytes(chainID, c.c.Epoch, c.c.View, c.c.Block))
		} else if c.want == nil {
			vec.SignBytes = hex.EncodeToString(SignBytes(chainID, c.c.Kind.Vote(), c.c.Epoch, c.c.View, c.c.Block))
		}
		v.Certs = append(v.Certs, vec)
	}
	for _, c := range proofCases(t) {
		v.Proofs = append(v.Proofs, proofVec{c.name, hex.EncodeToString(c.x.Encode()), hex.EncodeToString(c.p.Encode()), class(c.want)})
	}
	return v
}

func TestVectorsAreCurrent(t *testing.T) {
	want, err := json.MarshalIndent(makeVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("cert.json differs from what this code makes; if the change is meant, run with -args -update")
	}
}

// TestVectorsHold reads the file alone, as another implementation would.
func TestVectorsHold(t *testing.T) {
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	bin := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	set, err := valset.Decode(bin(v.Set))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Certs {
		if _, err := open(set, bin(c.Bytes)); class(err) != c.Error {
			t.Errorf("%s: %v, want %q", c.Name, err, c.Error)
		}
	}
	for _, c := range v.Proofs {
		h, err := header.Decode(bin(c.Header))
		if err != nil {
			t.Fatal(err)
		}
		p, err := DecodeProof(bin(c.Bytes))
		if err == nil {
			err = p.Verify(set, [32]byte(bin(v.ChainID)), &h)
		}
		if class(err) != c.Error {
			t.Errorf("%s: %v, want %q", c.Name, err, c.Error)
		}
	}
}
