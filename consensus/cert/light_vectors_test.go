// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// lightVectors is light.json. All bytes are hex.
type lightVectors struct {
	About      string         `json:"about"`
	Header     string         `json:"header"` // where trust begins
	Set        string         `json:"set"`
	Seals      []sealVec      `json:"seals"`
	Statements []statementVec `json:"statements"` // under the set after the last seal
	Lies       []lieVec       `json:"lies"`
}

type sealVec struct {
	Bytes   string `json:"bytes"`
	Epoch   uint64 `json:"epoch"` // after it
	SetHash string `json:"set_hash"`
}

type statementVec struct {
	Name   string `json:"name"`
	Header string `json:"header"`
	Final  string `json:"final"`
	Proof  string `json:"proof"`
	Key    string `json:"key"`
	Value  string `json:"value"`
	Error  string `json:"error,omitempty"`
}

type lieVec struct {
	Name   string `json:"name"`
	Header string `json:"header"`
	Set    string `json:"set"`
	Epoch  uint64 `json:"epoch"`
	Bytes  string `json:"bytes"`
	Error  string `json:"error"`
}

func lightClass(err error) string {
	for name, e := range map[string]error{"light": ErrLight, "field": header.ErrField, "state_root": merkle.ErrRoot, "state_shape": merkle.ErrShape} {
		if errors.Is(err, e) {
			return name
		}
	}
	return class(err)
}

func makeLightVectors(t *testing.T) lightVectors {
	root, proof := statement(t)
	h := history(t, false, root)
	hx := hex.EncodeToString
	start := header.Genesis(chainID, h[0].set.Hash(), 0, 500)
	v := lightVectors{About: "A light client. It trusts header with its set and takes seals one after another; then it checks statements: key and value in the " +
		"state after the block before header. lies: from a trusted header and set, one record that is refused with the error class.",
		Header: hx(start.Encode()), Set: hx(h[0].set.Encode())}
	l, err := NewLight(start, h[0].set)
	if err != nil {
		t.Fatal(err)
	}
	record := func(x *era, next *era) *Seal {
		return &Seal{Header: x.seal, Proof: *x.final(&x.seal), Next: next.set.Encode()}
	}
	for i := range 3 {
		s := record(&h[i], &h[i+1])
		if err := l.Take(s); err != nil {
			t.Fatal(err)
		}
		hash := l.Set().Hash()
		v.Seals = append(v.Seals, sealVec{hx(s.Encode()), l.Set().Epoch(), hx(hash[:])})
	}
	x := &h[3]
	state := func(name string, f func(hd *header.Header, fin *FinalityProof, p *merkle.StateProof)) {
		hd, p := x.normal, proof
		fin := x.final(&hd)
		f(&hd, fin, &p)
		c := statementVec{Name: name, Header: hx(hd.Encode()), Final: hx(fin.Encode()), Proof: hx(enc.Encode(p)), Key: hx(p.Key), Value: hx(*p.Value)}
		if err := l.Check(fin, &hd, &p); err != nil {
			c.Error = lightClass(err)
		}
		v.Statements = append(v.Statements, c)
	}
	state("a value", func(*header.Header, *FinalityProof, *merkle.StateProof) {})
	state("at the seal itself", func(hd *header.Header, _ *FinalityProof, _ *merkle.StateProof) { *hd = h[2].seal })
	state("another value", func(_ *header.Header, _ *FinalityProof, p *merkle.StateProof) { lie := []byte("lie"); p.Value = &lie })
	state("another root", func(hd *header.Header, fin *FinalityProof, _ *merkle.StateProof) {
		hd.StateRoot[0] ^= 1
		*fin = *x.final(hd)
	})
	state("a header that nobody signed", func(hd *header.Header, _ *FinalityProof, _ *merkle.StateProof) { hd.TimeMS++ })
	state("a header of the epoch before", func(hd *header.Header, fin *FinalityProof, _ *merkle.StateProof) {
		*hd = h[2].normal
		*fin = *h[2].final(hd)
	})
	lie := func(name string, f func(s *Seal)) {
		s := record(x, &h[4])
		f(s)
		at, err := NewLight(x.normal, x.set)
		if err != nil {
			t.Fatal(err)
		}
		if err = at.Take(s); err == nil {
			t.Fatalf("%s: taken", name)
		}
		v.Lies = append(v.Lies, lieVec{name, hx(x.normal.Encode()), hx(x.set.Encode()), 3, hx(s.Encode()), lightClass(err)})
	}
	lie("signers below a quorum", func(s *Seal) { s.Proof = *x.finalBy(&x.seal, 2, 3) })
	lie("the set of the epoch before", func(s *Seal) { s.Proof = *h[2].final(&x.seal) })
	lie("one bit of a signature", func(s *Seal) { s.Proof.Finalization.Sigs[70] ^= 1 })
	lie("the certificate of another block", func(s *Seal) { s.Proof = *x.final(&x.normal) })
	lie("the set after the next", func(s *Seal) { s.Next = h[5].set.Encode() })
	lie("an epoch left out", func(s *Seal) { *s = *record(&h[4], &h[5]) })
	lie("an epoch a second time", func(s *Seal) { *s = *record(&h[2], &h[3]) })
	lie("a block that is no seal", func(s *Seal) { s.Header, s.Proof = x.normal, *x.final(&x.normal) })
	lie("a seal with transactions", func(s *Seal) { s.Header.Txs, s.Header.Batches = 1, 1; s.Proof = *x.final(&s.Header) })
	lie("a seal below the trusted block", func(s *Seal) { s.Header.Height, s.Header.View = x.normal.Height, 9; s.Proof = *x.final(&s.Header) })
	return v
}

func TestCONS49VectorsHoldInALightClientInPython(t *testing.T) {
	text, err := json.MarshalIndent(makeLightVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	dir := filepath.Dir(vectorFile)
	file := filepath.Join(dir, "light.json")
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%s differs from what this package computes; review and run go test ./consensus/cert -update: %v", file, err)
	}
	cmd := exec.Command("python3", "light_check.py")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
}
