// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/valset"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/vote.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/vote.json"

// vectors is vote.json. All bytes are hex; an error is empty for what is valid.
type vectors struct {
	About   string     `json:"about"`
	ChainID string     `json:"chain_id"`
	Set     string     `json:"set"`
	SetHash string     `json:"set_hash"`
	Quorum  uint64     `json:"quorum"`
	Seed    string     `json:"leader_seed"`
	Leaders []int      `json:"leaders"` // of the views from 1 on
	Signed  []signed   `json:"signed"`
	Frames  []frameVec `json:"frames"`
}

type signed struct {
	Kind      uint64 `json:"kind"`
	View      uint64 `json:"view"`
	Block     string `json:"block"`
	SignBytes string `json:"sign_bytes"`
}

type frameVec struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes"`
	Hash  string `json:"hash,omitempty"` // of the block, or digest of the batch
	Error string `json:"error,omitempty"`
}

func class(err error) string {
	for name, e := range map[string]error{
		"malformed": ErrMalformed, "not_member": ErrNotMember, "signature": ErrSignature, "epoch": ErrEpoch, "quorum": cert.ErrQuorum,
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	return ""
}

func makeVectors(t *testing.T) vectors {
	set, _ := network(t)
	seed, hash := [32]byte{0x5e}, set.Hash()
	v := vectors{
		About:   "Votes, proposals and batches (CONS-10, CONS-26), shares unchecked, a set (CONS-39) and its leaders (CONS-41). The Ed25519 seeds are 32 bytes of 01 to 04 in set order. The error is the first refusal's class.",
		ChainID: hex.EncodeToString(chainID[:]), Set: hex.EncodeToString(set.Encode()), SetHash: hex.EncodeToString(hash[:]),
		Quorum: set.Quorum(), Seed: hex.EncodeToString(seed[:]),
	}
	s := valset.NewSchedule(set, seed)
	for view := uint64(1); view <= 25; view++ {
		v.Leaders = append(v.Leaders, s.Leader(view))
	}
	for _, k := range []cert.Kind{cert.Proposal, cert.Notarize, cert.Nullify, cert.Finalize} {
		block := blockOf("b")
		if k == cert.Nullify {
			block = nil
		}
		v.Signed = append(v.Signed, signed{uint64(k), 5, hex.EncodeToString(block), hex.EncodeToString(cert.SignBytes(chainID, k, epoch, 5, block))})
	}
	for _, c := range frameCases(t) {
		if len(c.frame) > 4_096 {
			continue
		}
		f := frameVec{Name: c.name, Bytes: hex.EncodeToString(c.frame), Error: class(c.want)}
		if ok, err := open(set, c.frame); err == nil {
			if h := ok.Hash(); h != [32]byte{} {
				f.Hash = hex.EncodeToString(h[:])
			}
		}
		v.Frames = append(v.Frames, f)
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
		t.Error("vote.json differs from what this code makes; if the change is meant, run with -args -update")
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
	if h := set.Hash(); hex.EncodeToString(h[:]) != v.SetHash || set.Quorum() != v.Quorum {
		t.Error("set hash or quorum")
	}
	s := valset.NewSchedule(set, [32]byte(bin(v.Seed)))
	for i, want := range v.Leaders {
		if got := s.Leader(uint64(i + 1)); got != want {
			t.Errorf("view %d is led by %d, want %d", i+1, got, want)
		}
	}
	for _, c := range v.Frames {
		if _, err := open(set, bin(c.Bytes)); class(err) != c.Error {
			t.Errorf("%s: %v, want %q", c.Name, err, c.Error)
		}
	}
}

// TestVectorsHoldInAnotherLanguage runs the check of all vectors of consensus that
// shares no code with this program, and lets it notice damage.
func TestVectorsHoldInAnotherLanguage(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is not installed; the tests need it to check the vectors independently (make deps names or installs it)")
	}
	cmd := exec.Command("python3", "consensus_check.py")
	cmd.Dir = "../../docs/spec/vectors"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("consensus_check.py: %v\n%s", err, out)
	}
	for _, f := range []string{"header.json", "vote.json", "cert.json", "set.json", "beacon.json"} {
		if !strings.Contains(string(out), f+": ") {
			t.Errorf("%s was not checked:\n%s", f, out)
		}
	}
}
