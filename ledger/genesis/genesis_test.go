// SPDX-License-Identifier: Apache-2.0

package genesis

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/state"
)

func person(n byte) (keys.Address, keys.PrivateKey) {
	k := keys.FromSeed([32]byte{n})
	return keys.SingleAuth(k.Public()).Address(), k
}

func config() LocalConfig {
	c := LocalConfig{TimeMS: 1_700_000_000_000}
	for n := range byte(4) {
		a, pk := person(n)
		c.Validators = append(c.Validators, Validator(a, pk, uint64(n)))
		c.Accounts = append(c.Accounts, Alloc{Address: a, Amount: 5 * fixed.OPEN}, Alloc{Address: a, Amount: fixed.OPEN})
	}
	return c
}

func local(t testing.TB) Doc {
	t.Helper()
	d, err := Local(config())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGEN01ALocalDocumentIsCompleteAndComesBack(t *testing.T) {
	d := local(t)
	back, err := Decode(d.Encode())
	if err != nil || back.ChainID() != d.ChainID() {
		t.Errorf("CBOR: %v", err)
	}
	view, err := ParseJSON(d.JSON())
	if err != nil || view.ChainID() != d.ChainID() || !bytes.Equal(view.Encode(), d.Encode()) {
		t.Errorf("JSON: %v\n%s", err, d.JSON())
	}
	if len(d.Accounts) != 4 || d.Accounts[0].Amount != 6*fixed.OPEN {
		t.Errorf("accounts %+v", d.Accounts)
	}
	if d.Validators[0].Power != 3 || d.Validators[3].Power != 1 || d.Network != "local" {
		t.Errorf("validators %+v", d.Validators)
	}
	h, err := d.Header()
	if err != nil || h.ChainID != d.ChainID() || h.TimeMS != d.TimeMS || h.Height != 0 {
		t.Errorf("header %+v, %v", h, err)
	}
}

func TestTheInputOrderDoesNotMatter(t *testing.T) {
	a := config()
	slices.Reverse(a.Accounts)
	slices.Reverse(a.Validators)
	d, err := Local(a)
	want := local(t)
	if err != nil || d.ChainID() != want.ChainID() {
		t.Errorf("%v", err)
	}
}

// memory is a View of writes.
type memory []merkle.KV

func (m memory) Get(key []byte) ([]byte, error) {
	for _, kv := range m {
		if bytes.Equal(kv.Key, key) {
			return kv.Value, nil
		}
	}
	return nil, nil
}

func (m memory) Scan(prefix, after []byte, limit int) ([]merkle.KV, error) {
	var out []merkle.KV
	for _, kv := range m {
		if bytes.HasPrefix(kv.Key, prefix) && bytes.Compare(kv.Key, after) > 0 && len(out) < limit {
			out = append(out, kv)
		}
	}
	return out, nil
}

func TestTheFirstStateHoldsWhatTheDocumentSays(t *testing.T) {
	d := local(t)
	v := memory(d.Writes())
	if !slices.IsSortedFunc(v, func(a, b merkle.KV) int { return bytes.Compare(a.Key, b.Key) }) {
		t.Error("writes do not ascend")
	}
	if sum, err := state.Recount(v); err != nil || sum != state.Total {
		t.Errorf("INV-01: %d, %v", sum, err)
	}
	vals, err := state.GetValidators(v)
	if err != nil || len(vals) != len(d.Validators) {
		t.Errorf("%v, %v", vals, err)
	}
	for i, m := range d.Validators {
		if vals[i] != (state.Validator{Address: m.Address, VoteKey: m.VoteKey, BLSKey: m.BLSKey, VRFKey: m.VRFKey, Power: m.Power}) {
			t.Errorf("%+v is not %+v", vals[i], m)
		}
		c, err := state.GetCandidate(v, m.Address)
		if own, _ := c.SelfBond(); err != nil || own != fixed.Amount(m.Power)*fixed.OPEN || c.Tokens != own || c.VoteKey != m.VoteKey {
			t.Errorf("%+v, %v", c, err)
		}
	}
	p, err := state.GetParams(v)
	if err != nil || p != state.LocalParams() {
		t.Errorf("%+v, %v", p, err)
	}
	c, err := state.GetClock(v)
	if err != nil || c != (state.Clock{TimeMS: d.TimeMS, CTimeMS: d.TimeMS, BaseFee: 1, EpochStartMS: d.TimeMS, EpochCTimeMS: d.TimeMS}) {
		t.Errorf("%+v, %v", c, err)
	}
	cc := CCBY4()
	terms, err := state.GetTerms(v, cc.ID())
	if err != nil || terms.SPDX != "CC-BY-4.0" || terms.TextHash == (state.ID{}) || terms.Flags != 255 {
		t.Errorf("%+v, %v", terms, err)
	}
	f, err := state.GetAccount(v, state.Faucet)
	if err != nil || f.Free != LocalFaucet {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestDocumentsThatNoNetworkStartsFrom(t *testing.T) {
	module := keys.ModuleAddress("tasks")
	for name, f := range map[string]func(d *Doc){
		"format 2":                    func(d *Doc) { d.Format = 2 },
		"protocol 2":                  func(d *Doc) { d.Protocol = 2 },
		"no name":                     func(d *Doc) { d.Network = "" },
		"a long name":                 func(d *Doc) { d.Network = strings.Repeat("x", 33) },
		"no time":                     func(d *Doc) { d.TimeMS = 0 },
		"a time beyond use":           func(d *Doc) { d.TimeMS = 1<<52 + 1 },
		"bad parameters":              func(d *Doc) { d.Params.EpochMS = 0 },
		"no validators":               func(d *Doc) { d.Validators = nil },
		"a validator twice":           func(d *Doc) { d.Validators[1] = d.Validators[0] },
		"validators out of set order": func(d *Doc) { slices.Reverse(d.Validators) },
		"a validator without power":   func(d *Doc) { d.Validators[3].Power = 0 },
		"a possession of another key": func(d *Doc) { d.Validators[0].Possession = d.Validators[1].Possession },
		"a BLS key of another":        func(d *Doc) { d.Validators[0].BLSKey = d.Validators[1].BLSKey },
		"no BLS key":                  func(d *Doc) { d.Validators[0].BLSKey, d.Validators[0].Possession = bls.PublicKey{}, bls.Signature{} },
		"no VRF key":                  func(d *Doc) { d.Validators[0].VRFKey = vrf.PublicKey{} },
		"keys where there are none":   func(d *Doc) { d.Network = Unkeyed },
		"power without a bond":        func(d *Doc) { d.Validators[0].Power++ },
		"a bond without power":        func(d *Doc) { d.Modules[0].Amount++; d.Modules[2].Amount-- },
		"no terms":                    func(d *Doc) { d.Terms = nil },
		"terms twice":                 func(d *Doc) { d.Terms = append(d.Terms, d.Terms[0]) },
		"terms without a licence":     func(d *Doc) { d.Terms[0].SPDX = "" },
		"accounts out of order":       func(d *Doc) { slices.Reverse(d.Accounts) },
		"an account twice":            func(d *Doc) { d.Accounts[1] = d.Accounts[0] },
		"an empty account":            func(d *Doc) { d.Modules[2].Amount += d.Accounts[0].Amount; d.Accounts[0].Amount = 0 },
		"a module as an account": func(d *Doc) {
			d.Accounts = []Alloc{{Address: module, Amount: 24 * fixed.OPEN}}
		},
		"an unknown module":      func(d *Doc) { d.Modules[1].Name = "fauce" },
		"modules out of order":   func(d *Doc) { slices.Reverse(d.Modules) },
		"one base unit too much": func(d *Doc) { d.Modules[2].Amount++ },
		"one too little":         func(d *Doc) { d.Modules[2].Amount-- },
		"sums that wrap":         func(d *Doc) { d.Modules[2].Amount = ^fixed.Amount(0) },
		"too many accounts":      func(d *Doc) { d.Accounts = make([]Alloc, MaxAccounts+1) },
	} {
		d := local(t)
		f(&d)
		if err := d.Check(); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := Decode(d.Encode()); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s, decoded: %v", name, err)
		}
		if _, err := ParseJSON(d.JSON()); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s, from JSON: %v", name, err)
		}
	}
}

func TestBytesThatAreNoDocument(t *testing.T) {
	d := local(t)
	raw, text := d.Encode(), string(d.JSON())
	for name, b := range map[string][]byte{
		"nothing": nil, "a number": {1}, "half": raw[:len(raw)/2], "a trailing byte": append(bytes.Clone(raw), 0),
		"too large": make([]byte, MaxBytes+1),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]string{
		"nothing": "", "a list": "[]", "half": text[:len(text)/2], "two values": text + "{}", "a stray brace": text + "}",
		"an unknown member": strings.Replace(text, `"network"`, `"net": 1, "network"`, 1),
		"too large":         strings.Repeat(" ", MaxBytes+1),
	} {
		if _, err := ParseJSON([]byte(s)); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLocalRefusesMoreThanThereIs(t *testing.T) {
	c := config()
	c.Accounts[0].Amount = state.Total
	if _, err := Local(c); !errors.Is(err, ErrGenesis) {
		t.Error(err)
	}
	c.Accounts[0].Amount, c.Accounts[1].Amount = ^fixed.Amount(0), 1
	if _, err := Local(c); !errors.Is(err, ErrGenesis) {
		t.Error(err)
	}
	c = config()
	c.Validators = nil
	if _, err := Local(c); !errors.Is(err, ErrGenesis) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	d := local(f)
	f.Add(d.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := Decode(b); err == nil && !bytes.Equal(d.Encode(), b) {
			t.Fatal("two encodings of one document")
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	d := local(f)
	f.Add(d.JSON())
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseJSON(b)
		if err != nil {
			return
		}
		if again, err := ParseJSON(d.JSON()); err != nil || again.ChainID() != d.ChainID() {
			t.Fatalf("the JSON view loses something: %v", err)
		}
	})
}

var update = flag.Bool("update", false, "write the fuzz corpus instead of comparing")

// TestTheFuzzCorpusIsCurrent compares the committed seeds, or writes them with
// -update.
func TestTheFuzzCorpusIsCurrent(t *testing.T) {
	d := local(t)
	broken := local(t)
	broken.Modules[0].Amount--
	for target, seeds := range map[string][][]byte{
		"FuzzDecode":    {d.Encode(), broken.Encode(), d.Encode()[:90]},
		"FuzzParseJSON": {d.JSON(), broken.JSON(), []byte(`{"format":1}`)},
	} {
		for i, seed := range seeds {
			path := filepath.Join("testdata", "fuzz", target, fmt.Sprintf("seed-%d", i))
			text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", seed)
			if *update {
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("%s is not current (%v); run: go test ./ledger/genesis -update", path, err)
			}
		}
	}
}

// A simulation may leave the other keys out, all of them.
func TestTheUnkeyedNetworkHasVoteKeysOnly(t *testing.T) {
	c := config()
	c.Network = Unkeyed
	for i, m := range c.Validators {
		c.Validators[i] = Member{Address: m.Address, VoteKey: m.VoteKey, Power: m.Power}
	}
	if _, err := Local(c); err != nil {
		t.Error(err)
	}
	c.Network = "local"
	if _, err := Local(c); !errors.Is(err, ErrGenesis) {
		t.Errorf("without keys: %v", err)
	}
}

// TestCONS49UnbondingOfALocalNetwork is long enough for a trusted block to be some
// minutes old, and never shorter than an epoch.
func TestCONS49UnbondingOfALocalNetwork(t *testing.T) {
	for epoch, want := range map[uint64]uint64{0: state.LocalParams().Staking.UnbondingMS, 20_000: 600_000, 3_600_000: 3_600_000} {
		c := config()
		c.EpochMS = epoch
		d, err := Local(c)
		if got := d.Params.Staking.UnbondingMS; err != nil || got != want {
			t.Errorf("epochs of %d ms: unbonding takes %d ms, want %d, %v", epoch, got, want, err)
		}
		pace := map[bool]uint64{true: 20, false: 30}[epoch == 0]
		if got := d.Params.Consensus.PaceMS; got != pace {
			t.Errorf("epochs of %d ms: pace %d ms, want %d", epoch, got, pace)
		}
	}
}

// TestCONS42AnUnknownProtocolNamesWhatToDo: a network of a later release.
func TestCONS42AnUnknownProtocolNamesWhatToDo(t *testing.T) {
	d := local(t)
	d.Protocol++
	if err := d.Check(); !errors.Is(err, header.ErrUpgrade) || !errors.Is(err, ErrGenesis) || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("protocol %d: %v", d.Protocol, err)
	}
	d.Protocol = 0
	if err := d.Check(); err == nil || errors.Is(err, header.ErrUpgrade) {
		t.Errorf("protocol 0: %v", err)
	}
}
