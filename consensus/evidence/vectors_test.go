// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/evidence.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/evidence.json"

// vectors is evidence.json. All bytes are hex; an error is empty for what convicts.
type vectors struct {
	About   string   `json:"about"`
	ChainID string   `json:"chain_id"`
	Seed    string   `json:"leader_seed"`
	BadTx   string   `json:"bad_tx"`
	Sets    []setVec `json:"sets"`
}

type setVec struct {
	Name     string  `json:"name"`
	Set      string  `json:"set"`
	Evidence []evVec `json:"evidence"`
}

type evVec struct {
	Name   string `json:"name"`
	Bytes  string `json:"bytes"`
	Error  string `json:"error,omitempty"`
	Kind   string `json:"kind,omitempty"`
	Class  string `json:"class,omitempty"`
	View   uint64 `json:"view,omitempty"`
	Guilty []int  `json:"guilty,omitempty"`
}

func class(err error) string {
	for name, e := range map[string]error{"malformed": ErrMalformed, "epoch": ErrEpoch, "signature": ErrSignature, "no_fault": ErrNoFault} {
		if errors.Is(err, e) {
			return name
		}
	}
	return ""
}

// judge is what a court of n says of bytes.
func (n *net) judge(name string, raw []byte) evVec {
	n.t.Helper()
	v := evVec{Name: name, Bytes: hex.EncodeToString(raw)}
	e, err := Decode(raw)
	if err == nil {
		var list []Offence
		if list, err = n.court().Check(e); err == nil {
			v.Kind, v.Class, v.View = e.Kind().String(), e.Kind().Class().String(), e.View()
			for _, o := range list {
				v.Guilty = append(v.Guilty, o.Index)
			}
		}
	}
	if v.Error = class(err); (v.Error == "") != (err == nil) {
		n.t.Fatalf("%s: %v", name, err)
	}
	return v
}

// sumCases are evidence with BLS signatures, good and spoiled.
func sumCases(t *testing.T) (*net, []evCase) {
	n, secrets := summing(t)
	sum := func(block string, who ...int) *msg.Message {
		return &msg.Message{Cert: n.aggregate(secrets, 5, blockOf(block), who...)}
	}
	null := func() Evidence {
		return Pair(n.set, sum("a", 0, 1, 3), &msg.Message{Cert: n.nullification(5, 0, 1)})[0]
	}
	spoil := func(f func(c *Conflict)) Evidence {
		c := *null().Conflict
		f(&c)
		return Evidence{Conflict: &c}
	}
	swapped := *Pair(n.set, n.share(5, "a", 2, secrets[2]), nil)[0].Share
	swapped.Vote.Share = n.share(5, "a", 2, secrets[1]).Vote.Share
	return n, []evCase{
		{"an aggregate meets a nullification", null(), nil},
		{"two aggregates", Pair(n.set, sum("a", 0, 1, 3), sum("b", 0, 1, 2))[0], nil},
		{"an aggregate meets a notarize", Pair(n.set, n.vote(cert.Notarize, 5, "b", 3), sum("a", 0, 1, 3))[0], nil},
		{"an aggregate meets a finalize with a share", Pair(n.set, n.share(5, "b", 1, secrets[1]), sum("a", 0, 1, 3))[0], nil},
		{"a share of another key", Pair(n.set, n.share(5, "a", 2, secrets[1]), nil)[0], nil},
		{"a share that holds", Pair(n.set, n.share(5, "a", 2, secrets[2]), nil)[0], ErrNoFault},
		{"another share in the envelope", Evidence{Share: &swapped}, ErrSignature},
		{"an aggregate with a signer too many", spoil(func(c *Conflict) { c.B.Signers = []byte{0b1111} }), ErrSignature},
		{"an aggregate with a signer too few", spoil(func(c *Conflict) { c.B.Signers = []byte{0b0011} }), ErrSignature},
		{"an aggregate without a common signer", spoil(func(c *Conflict) { c.B.Signers = []byte{0b1100} }), ErrMalformed},
		{"an aggregate of nullify", spoil(func(c *Conflict) { c.A.Sigs = c.B.Sigs }), ErrMalformed},
		{"an aggregate with a share", spoil(func(c *Conflict) { c.B.Share = c.B.Sigs }), ErrMalformed},
	}
}

func makeVectors(t *testing.T) vectors {
	plain, list := cases(t)
	sums, more := sumCases(t)
	v := vectors{
		About: "Evidence of all eight kinds (CONS-54) under a set of four without BLS keys and one with them, and ways to spoil it. " +
			"bad_tx is the only transaction that no state makes valid. The error is the first refusal's class.",
		ChainID: hex.EncodeToString(chainID[:]), Seed: hex.EncodeToString(seed[:]), BadTx: hex.EncodeToString([]byte("bad")),
		Sets: []setVec{{Name: "four", Set: hex.EncodeToString(plain.set.Encode())}, {Name: "four with BLS keys", Set: hex.EncodeToString(sums.set.Encode())}},
	}
	add := func(i int, n *net, name string, raw []byte) {
		v.Sets[i].Evidence = append(v.Sets[i].Evidence, n.judge(name, raw))
	}
	for _, c := range list {
		add(0, plain, c.name, c.ev.Encode())
	}
	for _, c := range more {
		add(1, sums, c.name, c.ev.Encode())
	}
	raw := list[0].ev.Encode()
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"nothing", nil}, {"a byte more", append(bytes.Clone(raw), 0)}, {"a byte less", raw[:len(raw)-1]},
		{"an unknown kind", append([]byte{raw[0], 9}, raw[2:]...)}, {"a kind of another form", append([]byte{raw[0], 8}, raw[2:]...)},
		{"a longer encoding of the kind", append([]byte{raw[0], 0x18, 1}, raw[2:]...)}, {"no array", append([]byte{0xa5}, raw[1:]...)},
		{"eight bytes more", append(bytes.Clone(raw), make([]byte, 8)...)},
	} {
		add(0, plain, c.name, c.raw)
	}
	return v
}

func TestCONS54Vectors(t *testing.T) {
	got := makeVectors(t)
	raw, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil || !bytes.Equal(raw, want) {
		t.Fatalf("evidence.json is not current: %v; run: go test ./consensus/evidence -run Vectors -update", err)
	}
	kinds := map[string]bool{}
	for _, s := range got.Sets {
		for _, e := range s.Evidence {
			kinds[e.Kind] = true
		}
	}
	if len(kinds) != 9 { // and "" for what convicts nobody
		t.Errorf("kinds %v", kinds)
	}
}

// TestCONS54VectorsHoldInAnotherLanguage runs a judge that shares no code with this
// one, and lets it notice damage.
func TestCONS54VectorsHoldInAnotherLanguage(t *testing.T) {
	judge := func(args ...string) (string, error) {
		cmd := exec.Command("python3", append([]string{"evidence_check.py"}, args...)...)
		cmd.Dir = filepath.Dir(vectorFile)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := judge(); err != nil || !strings.Contains(out, "evidence.json: ") {
		t.Fatalf("evidence_check.py: %v\n%s", err, out)
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	for old, put := range map[string]string{`"no_fault"`: `"malformed"`, `"signature"`: `"no_fault"`, `"DoubleFinalize"`: `"DoubleNotarize"`, `"bad_tx": "626164"`: `"bad_tx": "626165"`} {
		bad := filepath.Join(t.TempDir(), "bad.json")
		if err := os.WriteFile(bad, []byte(strings.Replace(string(text), old, put, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := judge(bad); err == nil {
			t.Errorf("%s in place of %s passes:\n%s", put, old, out)
		}
	}
}
