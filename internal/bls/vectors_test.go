// SPDX-License-Identifier: Apache-2.0

package bls

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/keys"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/bls.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/bls.json"

type vectors struct {
	About       string            `json:"about"`
	Clauses     []string          `json:"clauses"`
	Keys        []keyVector       `json:"keys"`
	Final       finalVector       `json:"final"`
	Signatures  []signatureVector `json:"signatures"`
	Possessions []signatureVector `json:"possessions"`
	Aggregates  []aggregateVector `json:"aggregates"`
}

type keyVector struct {
	VoteSeed   string `json:"vote_seed"`
	Seed       string `json:"seed"`
	Scalar     string `json:"scalar"`
	Public     string `json:"public"`
	Possession string `json:"possession"`
}

type finalVector struct {
	ChainID string `json:"chain_id"`
	Epoch   uint64 `json:"epoch"`
	View    uint64 `json:"view"`
	Block   string `json:"block"`
	Message string `json:"message"`
}

type signatureVector struct {
	Name      string  `json:"name"`
	Public    string  `json:"public"`
	Message   *string `json:"message,omitempty"`
	Signature string  `json:"signature"`
	Error     string  `json:"error,omitempty"`
}

type aggregateVector struct {
	Name      string `json:"name"`
	Signers   []int  `json:"signers"`
	Message   string `json:"message"`
	Signature string `json:"signature"`
	Error     string `json:"error,omitempty"`
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func allVectors(t *testing.T) vectors {
	v := vectors{
		About: "BLS over BLS12-381. Keys are derived from the seed of a vote key; possession signs the public key. A signature without error " +
			"holds, and signing again gives the same bytes. signers of an aggregate are indexes into keys. error: key = the public key is " +
			"unusable, signature = the signature is malformed or does not hold.",
		Clauses: []string{"CONS-12"},
	}
	var secrets []PrivateKey
	for i := range 4 {
		seed := filled(byte(i + 1))
		key := Derive(keys.FromSeed(seed))
		derived, pk, pop := keys.Sum(keys.DomainBLSKey, seed[:]), key.Public(), key.ProvePossession()
		scalar, err := key.k().scalar.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, key)
		v.Keys = append(v.Keys, keyVector{hexOf(seed[:]), hexOf(derived[:]), hexOf(scalar), hexOf(pk[:]), hexOf(pop[:])})
	}
	chain, block := filled(0x11), filled(0x22)
	msg := keys.Dom(keys.DomainFinal, chain[:], uint64(3), uint64(77), block[:])
	v.Final = finalVector{hexOf(chain[:]), 3, 77, hexOf(block[:]), hexOf(msg)}
	v.Signatures = signatureCases(secrets, msg)
	v.Possessions = possessionCases(secrets)
	v.Aggregates = aggregateCases(t, secrets, msg)
	return v
}

func signatureCases(secrets []PrivateKey, msg []byte) (out []signatureVector) {
	key := secrets[0]
	pk, sig := key.Public(), key.Sign(msg)
	add := func(name string, pk PublicKey, m []byte, sig Signature, class string) {
		text := hexOf(m)
		out = append(out, signatureVector{name, hexOf(pk[:]), &text, hexOf(sig[:]), class})
	}
	add("it holds", pk, msg, sig, "")
	add("the empty message", pk, nil, key.Sign(nil), "")
	add("another key", secrets[1].Public(), msg, sig, "signature")
	add("another message", pk, nil, sig, "signature")
	add("the other sign", pk, msg, negated(sig), "signature")
	add("the identity", pk, msg, identity(), "signature")
	add("the identity with the sign bit", pk, msg, Signature{0xe0}, "signature")
	add("the identity with a coordinate", pk, msg, Signature{0: 0xc0, 47: 1}, "signature")
	add("zero bytes", pk, msg, Signature{}, "signature")
	add("no bit of compression", pk, msg, masked(sig, 0x7f), "signature")
	add("a point outside the group", pk, msg, Signature(offGroupG1()), "signature")
	add("a coordinate of no point", pk, msg, Signature{0: 0x80, 47: 1}, "signature")
	add("the coordinate p", pk, msg, Signature(slices.Concat([]byte{0x80 | fieldOrder[0]}, fieldOrder[1:])), "signature")
	add("a possession as a signature", pk, pk[:], key.ProvePossession(), "signature")
	add("the identity as key", PublicKey{0xc0}, msg, sig, "key")
	add("the identity as key and signature", PublicKey{0xc0}, msg, identity(), "key")
	add("a key of zero bytes", PublicKey{}, msg, sig, "key")
	add("a key outside the group", PublicKey(offGroupG2()), msg, sig, "key")
	add("a key with a coordinate p", PublicKey(slices.Concat([]byte{0x80 | fieldOrder[0]}, fieldOrder[1:], make([]byte, 48))), msg, sig, "key")
	flipped := pk
	flipped[0] &= 0x7f
	add("a key without the bit of compression", flipped, msg, sig, "key")
	return out
}

func possessionCases(secrets []PrivateKey) (out []signatureVector) {
	pk := secrets[0].Public()
	add := func(name string, sig Signature, class string) {
		out = append(out, signatureVector{name, hexOf(pk[:]), nil, hexOf(sig[:]), class})
	}
	add("it holds", secrets[0].ProvePossession(), "")
	add("another's", secrets[1].ProvePossession(), "signature")
	add("a signature as a possession", secrets[0].Sign(pk[:]), "signature")
	return out
}

func aggregateCases(t *testing.T, secrets []PrivateKey, msg []byte) (out []aggregateVector) {
	add := func(name string, signers []int, sig Signature, class string) {
		out = append(out, aggregateVector{name, signers, hexOf(msg), hexOf(sig[:]), class})
	}
	var shares []Signature
	for _, k := range secrets {
		shares = append(shares, k.Sign(msg))
	}
	add("all", []int{0, 1, 2, 3}, sum(t, shares...), "")
	add("three of four", []int{0, 1, 3}, sum(t, shares[0], shares[1], shares[3]), "")
	add("one", []int{2}, shares[2], "")
	add("a signer too many is named", []int{0, 1, 2, 3}, sum(t, shares[:3]...), "signature")
	add("a signer is left out", []int{0, 1, 2}, sum(t, shares...), "signature")
	add("a share counted twice", []int{0, 1}, sum(t, shares[0], shares[0], shares[1]), "signature")
	add("nobody", []int{}, shares[0], "signature")
	add("nobody and nothing", []int{}, identity(), "signature")
	return out
}

func TestCONS12VectorsAreCurrent(t *testing.T) {
	text, err := json.MarshalIndent(allVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, text) {
		t.Fatalf("%s differs from the cases in this test; review and run go test ./internal/bls -update", vectorFile)
	}
}

func class(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrKey):
		return "key"
	case errors.Is(err, ErrSignature):
		return "signature"
	}
	return err.Error()
}

func TestCONS12VectorsHold(t *testing.T) {
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	var public []PublicKey
	for _, k := range v.Keys {
		key := Derive(keys.FromSeed([32]byte(unhex(k.VoteSeed))))
		pk := key.Public()
		if hexOf(pk[:]) != k.Public || NewKey([32]byte(unhex(k.Seed))).Public() != pk {
			t.Errorf("vote seed %s gives %v", k.VoteSeed, pk)
		}
		if err := VerifyPossession(pk, Signature(unhex(k.Possession))); err != nil {
			t.Errorf("vote seed %s: %v", k.VoteSeed, err)
		}
		public = append(public, pk)
	}
	f := v.Final
	if got := keys.Dom(keys.DomainFinal, unhex(f.ChainID), f.Epoch, f.View, unhex(f.Block)); hexOf(got) != f.Message {
		t.Errorf("message of a share: %x", got)
	}
	for _, c := range v.Signatures {
		if err := Verify(PublicKey(unhex(c.Public)), unhex(*c.Message), Signature(unhex(c.Signature))); class(err) != c.Error {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	for _, c := range v.Possessions {
		if err := VerifyPossession(PublicKey(unhex(c.Public)), Signature(unhex(c.Signature))); class(err) != c.Error {
			t.Errorf("possession, %s: %v", c.Name, err)
		}
	}
	set, err := NewKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Aggregates {
		has := func(i int) bool { return slices.Contains(c.Signers, i) }
		if err := set.VerifyAggregate(has, unhex(c.Message), Signature(unhex(c.Signature))); class(err) != c.Error {
			t.Errorf("aggregate, %s: %v", c.Name, err)
		}
	}
}

// python runs bls_check.py on file.
func python(t *testing.T, file string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is not installed; the tests need it to check the vectors independently (make deps names or installs it)")
	}
	cmd := exec.Command("python3", "bls_check.py", file)
	cmd.Dir = filepath.Dir(vectorFile)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestCONS12VectorsHoldInAnotherLanguage runs a verifier with a pairing of its
// own, which shares no code with this program, and shows it damage.
func TestCONS12VectorsHoldInAnotherLanguage(t *testing.T) {
	if out, err := python(t, "bls.json"); err != nil || !strings.HasPrefix(out, "bls.json: ") {
		t.Fatalf("bls_check.py: %v\n%s", err, out)
	}
	for name, damage := range map[string]func(v *vectors){
		"a possession":       func(v *vectors) { v.Keys[0].Possession = v.Keys[1].Possession },
		"a key":              func(v *vectors) { v.Keys[0].Public = v.Keys[1].Public },
		"a message":          func(v *vectors) { v.Final.View++ },
		"an error left out":  func(v *vectors) { v.Signatures = v.Signatures[1:]; v.Signatures[1].Error = "" },
		"an error too many":  func(v *vectors) { v.Signatures[0].Error = "signature" },
		"an aggregate":       func(v *vectors) { v.Aggregates[0].Signers = []int{0, 1, 2} },
		"a wrong possession": func(v *vectors) { v.Possessions[1].Error = "" },
	} {
		bad := allVectors(t)
		bad.Signatures, bad.Aggregates = bad.Signatures[:3], bad.Aggregates[:2]
		damage(&bad)
		text, err := json.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "bls.json")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if out, err := python(t, file); !errors.As(err, &exit) || strings.Contains(out, "Traceback") {
			t.Errorf("%s is damaged: %v\n%s", name, err, out)
		}
	}
}
