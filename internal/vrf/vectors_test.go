// SPDX-License-Identifier: Apache-2.0

package vrf

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

var update = flag.Bool("update", false, "write docs/spec/vectors/vrf.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/vrf.json"

type vectors struct {
	About   string        `json:"about"`
	Clauses []string      `json:"clauses"`
	Keys    []keyVector   `json:"keys"`
	Proofs  []proofVector `json:"proofs"`
}

type keyVector struct {
	VoteSeed string `json:"vote_seed"`
	Seed     string `json:"seed"`
	Scalar   string `json:"scalar"`
	Public   string `json:"public"`
}

type proofVector struct {
	Name   string `json:"name"`
	Public string `json:"public"`
	Alpha  string `json:"alpha"`
	Proof  string `json:"proof"`
	Output string `json:"output,omitempty"`
	Error  string `json:"error,omitempty"`
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func allVectors() vectors {
	v := vectors{
		About: "The VRF of the beacon. Keys are derived from the seed of a vote key. A proof without error holds and has this output; " +
			"making it again gives the same bytes. error: key = the public key is unusable, proof = the proof is malformed or does not hold.",
		Clauses: []string{"CONS-34"},
	}
	var secrets []PrivateKey
	for i := range 3 {
		seed := filled(byte(i + 1))
		key := Derive(keys.FromSeed(seed))
		derived, pk := keys.Sum(keys.DomainVRFKey, seed[:]), key.Public()
		secrets = append(secrets, key)
		v.Keys = append(v.Keys, keyVector{hex.EncodeToString(seed[:]), hex.EncodeToString(derived[:]), hex.EncodeToString(key.k().raw), hex.EncodeToString(pk[:])})
	}
	add := func(name string, pk PublicKey, alpha, proof []byte, class string) {
		c := proofVector{Name: name, Public: hex.EncodeToString(pk[:]), Alpha: hex.EncodeToString(alpha), Proof: hex.EncodeToString(proof), Error: class}
		if class == "" {
			beta := output(proof[:32])
			c.Output = hex.EncodeToString(beta[:])
		}
		v.Proofs = append(v.Proofs, c)
	}
	alphas := [][]byte{nil, []byte("alpha"), keys.Dom(keys.DomainVote, filled(9), uint64(3), filled(7)), bytes.Repeat([]byte{0xff}, 200)}
	for i, key := range secrets {
		for j, alpha := range alphas {
			if i == 0 || i == j {
				proof, _ := key.Prove(alpha)
				add("it holds", key.Public(), alpha, proof[:], "")
			}
		}
	}
	pk, alpha := secrets[0].Public(), alphas[1]
	proof, _ := secrets[0].Prove(alpha)
	theirs, _ := secrets[1].Prove(alpha)
	with := func(at int, b []byte) []byte {
		return append(append(append([]byte{}, proof[:at]...), b...), proof[at+len(b):]...)
	}
	for bit := 0; bit < 8*ProofSize; bit += 101 {
		p := bytes.Clone(proof[:])
		p[bit/8] ^= 1 << (bit % 8)
		add("a flipped bit", pk, alpha, p, "proof")
	}
	add("another key", secrets[1].Public(), alpha, proof[:], "proof")
	add("another input", pk, alphas[2], proof[:], "proof")
	add("another's point", pk, alpha, with(0, theirs[:32]), "proof")
	add("another's scalars", pk, alpha, with(32, theirs[32:]), "proof")
	add("challenge plus the order", pk, alpha, with(32, plusOrder(proof[32:64])), "proof")
	add("response plus the order", pk, alpha, with(64, plusOrder(proof[64:])), "proof")
	add("the identity as point", pk, alpha, with(0, make([]byte, 32)), "proof")
	add("a negative point encoding", pk, alpha, with(0, negative(proof[:32])), "proof")
	add("a coordinate above the field", pk, alpha, with(0, bytes.Repeat([]byte{0xff}, 32)), "proof")
	add("a byte short", pk, alpha, proof[:95], "proof")
	add("a byte long", pk, alpha, append(proof[:96:96], 0), "proof")
	add("no proof", pk, alpha, nil, "proof")
	add("the identity as key", PublicKey{}, alpha, proof[:], "key")
	add("a negative key encoding", PublicKey(negative(pk[:])), alpha, proof[:], "key")
	add("a key that is no point", PublicKey(filled(0x08)), alpha, proof[:], "key")
	return v
}

func TestCONS34VectorsAreCurrent(t *testing.T) {
	text, err := json.MarshalIndent(allVectors(), "", " ")
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
		t.Fatalf("%s differs from the cases in this test; review and run go test ./internal/vrf -update", vectorFile)
	}
}

func TestCONS34VectorsHold(t *testing.T) {
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	for _, k := range v.Keys {
		pk := Derive(keys.FromSeed([32]byte(unhex(k.VoteSeed)))).Public()
		if hex.EncodeToString(pk[:]) != k.Public || NewKey([32]byte(unhex(k.Seed))).Public() != pk {
			t.Errorf("vote seed %s gives %v", k.VoteSeed, pk)
		}
	}
	for _, c := range v.Proofs {
		beta, err := Verify(PublicKey(unhex(c.Public)), unhex(c.Alpha), unhex(c.Proof))
		class := ""
		switch {
		case errors.Is(err, ErrKey):
			class = "key"
		case errors.Is(err, ErrProof):
			class = "proof"
		}
		if class != c.Error || err == nil && hex.EncodeToString(beta[:]) != c.Output {
			t.Errorf("%s: %x, %v", c.Name, beta, err)
		}
	}
}

// python runs vrf_check.py on file.
func python(t *testing.T, file string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is not installed; the tests need it to check the vectors independently (make deps names or installs it)")
	}
	cmd := exec.Command("python3", "vrf_check.py", file)
	cmd.Dir = filepath.Dir(vectorFile)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestCONS34VectorsHoldInAnotherLanguage runs a verifier that shares no code
// with this program, and shows it damage.
func TestCONS34VectorsHoldInAnotherLanguage(t *testing.T) {
	if out, err := python(t, "vrf.json"); err != nil || !strings.HasPrefix(out, "vrf.json: ") {
		t.Fatalf("vrf_check.py: %v\n%s", err, out)
	}
	v := allVectors()
	for name, damage := range map[string]func(v *vectors){
		"an output":           func(v *vectors) { v.Proofs[0].Output = v.Proofs[1].Output },
		"a proof":             func(v *vectors) { v.Proofs[0].Proof = v.Proofs[1].Proof },
		"an error left out":   func(v *vectors) { v.Proofs[len(v.Proofs)-1].Error = "" },
		"an error of another": func(v *vectors) { v.Proofs[len(v.Proofs)-1].Error = "proof" },
		"an error too many":   func(v *vectors) { v.Proofs[0].Error = "proof" },
		"a secret":            func(v *vectors) { v.Keys[0].Scalar = v.Keys[1].Scalar },
		"a key":               func(v *vectors) { v.Keys[0].Public = v.Keys[1].Public },
	} {
		bad := v
		bad.Keys = slices.Clone(v.Keys)
		bad.Proofs = []proofVector{v.Proofs[0], v.Proofs[1], v.Proofs[len(v.Proofs)-1]}
		damage(&bad)
		text, err := json.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "vrf.json")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if out, err := python(t, file); !errors.As(err, &exit) || strings.Contains(out, "Traceback") {
			t.Errorf("%s is damaged: %v\n%s", name, err, out)
		}
	}
}
