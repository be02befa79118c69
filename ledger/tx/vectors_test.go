// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors and the fuzz corpus instead of comparing")

const vectorDir = "../../docs/spec/vectors"

type vectorFile struct {
	About   string          `json:"about"`
	Clauses []string        `json:"clauses"`
	ChainID string          `json:"chain_id"`
	Seed    string          `json:"seed"`
	Valid   []validVector   `json:"valid"`
	Invalid []invalidVector `json:"invalid"`
}

// validVector is a signed transaction with everything derived from it.
type validVector struct {
	Name     string  `json:"name"`
	Kind     Kind    `json:"kind"`
	Payload  Payload `json:"payload"`
	Body     string  `json:"body"`
	Signed   string  `json:"signed"`
	SHA256   string  `json:"signed_sha256"`
	TxID     ID      `json:"txid"`
	ObjectID ID      `json:"object_id"` // of the first object that it would create
	Weight   uint64  `json:"weight"`    // with kind weight 1,000
}

// invalidVector is bytes that are refused, by Decode or by Verify.
type invalidVector struct {
	Name   string `json:"name"`
	Signed string `json:"signed"`
	Code   string `json:"code"`
	Number uint16 `json:"number"`
}

// judge is the first refusal of raw bytes.
func judge(raw []byte) (Verified, error) {
	s, err := Decode(raw)
	if err != nil {
		return Verified{}, err
	}
	return Verify(testChain, s)
}

func makeVectors(t *testing.T) vectorFile {
	seed := testKey().Seed()
	f := vectorFile{
		About:   "Transactions signed by the Ed25519 seed for the chain id. Valid: one of every kind. Invalid: the first refusal has this code.",
		Clauses: []string{"TXN-01", "TXN-02", "FEE-01", "KEY-05", "ENC-02", "ENC-03", "ENC-06"},
		ChainID: hex.EncodeToString(testChain[:]),
		Seed:    hex.EncodeToString(seed[:]),
	}
	valid := []Signed{firstVector(), threshold(0, 2)}
	names := []string{"the first vector of LEDGER section 1", "a threshold account, 2 of 3"}
	for _, p := range samples(t) {
		valid = append(valid, Sign(testChain, Body{Nonce: 3, MaxFee: 50_000, Tip: 5, ValidUntil: 90, Payload: p}, testKey()))
		names = append(names, p.Kind().String())
	}
	for i, s := range valid {
		raw := s.Encode()
		v, err := judge(raw)
		if err != nil {
			t.Fatalf("%s: %v", names[i], err)
		}
		sum := sha256.Sum256(raw)
		f.Valid = append(f.Valid, validVector{
			Name: names[i], Kind: s.Body.Kind, Payload: s.Body.Payload, Body: hex.EncodeToString(s.Body.Bytes()),
			Signed: hex.EncodeToString(raw), SHA256: hex.EncodeToString(sum[:]), TxID: v.ID(),
			ObjectID: ObjectID(v.ID(), s.Body.Kind, 0), Weight: v.Weight(1_000),
		})
	}
	f.Invalid = invalidVectors(t)
	return f
}

func invalidVectors(t *testing.T) (out []invalidVector) {
	add := func(name string, raw []byte) {
		_, err := judge(raw)
		if err == nil {
			t.Fatalf("%s is accepted", name)
		}
		if len(raw) > 4<<10 {
			return // tested in Go alone
		}
		c := CodeOf(err)
		out = append(out, invalidVector{name, hex.EncodeToString(raw), c.String(), uint16(c)})
	}
	for _, b := range badBytes() {
		add(b.name, b.raw)
	}
	for _, b := range badEnvelopes() {
		add(b.name, b.s.Encode())
	}
	for _, b := range badFields(t) {
		add(b.name, Sign(testChain, Body{MaxFee: 20_000, ValidUntil: 100, Payload: b.payload}, testKey()).Encode())
	}
	s := firstVector()
	s.Sigs[0].Sig = s.Body.signFor(repeat(0x12))
	add("signed for another chain", s.Encode())
	return out
}

func (b Body) signFor(chainID [32]byte) [64]byte { return testKey().Sign(b.SigningBytes(chainID)) }

func TestENC06TheVectorsAreCurrent(t *testing.T) {
	got, err := json.MarshalIndent(makeVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join(vectorDir, "tx.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/spec/vectors/tx.json differs; if the change is meant, run: go test ./ledger/tx -update")
	}
}

// TestENC06TheVectorsHoldInAnotherLanguage checks the file with a second
// implementation.
func TestENC06TheVectorsHoldInAnotherLanguage(t *testing.T) {
	cmd := exec.Command("python3", "tx_check.py")
	cmd.Dir = vectorDir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tx_check.py: %v\n%s", err, out)
	}
}
