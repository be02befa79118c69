// SPDX-License-Identifier: Apache-2.0

package genesis

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/state"
)

// Version numbers of every document that this build reads, and the validator
// epoch in which a chain starts.
const (
	Format   = 1
	Protocol = header.Version
	Epoch    = 0
)

// Bounds of a document.
const (
	MaxNetwork  = 32      // bytes of the network's name
	MaxAccounts = 10_000  // initial accounts
	MaxBytes    = 4 << 20 // encoded document, and its JSON form
)

// ErrGenesis reports a document that no network can start from.
var ErrGenesis = errors.New("invalid genesis document")

// Alloc is the initial balance of an account in base units.
type Alloc struct {
	_       struct{}     `cbor:",toarray"`
	Address keys.Address `json:"address"`
	Amount  fixed.Amount `json:"amount"`
}

// Member is a founding validator. Its Power in OPEN is its self bond and lies in
// the module account bonded. On every network but Unkeyed it has a BLS key with
// proof of possession and a VRF key.
type Member struct {
	_          struct{}       `cbor:",toarray"`
	Address    keys.Address   `json:"address"`
	VoteKey    keys.PublicKey `json:"vote_key"`
	BLSKey     bls.PublicKey  `json:"bls_key"`
	Possession bls.Signature  `json:"possession"` // of BLSKey
	VRFKey     vrf.PublicKey  `json:"vrf_key"`
	Power      uint64         `json:"power"`
}

// Unkeyed is the network name of simulations whose validators have vote keys only,
// for speed: no aggregate certificates, no beacon.
const Unkeyed = "unkeyed"

// Doc is the genesis document. TimeMS is Unix milliseconds and starts the chain
// clock. Accounts ascend by address, Modules by name, Validators stand in set
// order, Terms ascend by id. All balances together are state.Total.
type Doc struct {
	_          struct{}        `cbor:",toarray"`
	Format     uint64          `json:"format"`
	Network    string          `json:"network"`
	TimeMS     uint64          `json:"time_ms"`
	Protocol   uint64          `json:"protocol"`
	Accounts   []Alloc         `json:"accounts"`
	Modules    []state.Balance `json:"modules"`
	Params     state.Params    `json:"params"`
	Validators []Member        `json:"validators"`
	Rules      []string        `json:"poa_rules"`
	Terms      []state.Terms   `json:"terms"`
}

// Encode returns the canonical bytes.
func (d *Doc) Encode() []byte { return enc.Encode(d) }

// ChainID is SHA-256 of the canonical bytes (GEN-01).
func (d *Doc) ChainID() [32]byte { return sha256.Sum256(d.Encode()) }

// Decode reads and checks a document. Errors: ErrGenesis.
func Decode(b []byte) (Doc, error) {
	var d Doc
	if len(b) > MaxBytes {
		return d, fmt.Errorf("%w: %d bytes, at most %d", ErrGenesis, len(b), MaxBytes)
	}
	if err := enc.Decode(b, &d); err != nil {
		return Doc{}, fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	return d, d.Check()
}

// JSON returns the indented JSON view, from which ParseJSON gives the same
// document and so the same chain id.
func (d *Doc) JSON() []byte {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("genesis: %v", err)) // every field has a JSON form
	}
	return append(b, '\n')
}

// ParseJSON reads and checks the JSON view; unknown members are refused. Errors:
// ErrGenesis.
func ParseJSON(b []byte) (Doc, error) {
	var d Doc
	if len(b) > MaxBytes {
		return d, fmt.Errorf("%w: %d bytes, at most %d", ErrGenesis, len(b), MaxBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Doc{}, fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Doc{}, fmt.Errorf("%w: more than one JSON value", ErrGenesis)
	}
	return d, d.Check()
}

// Check verifies versions, order, sums and bounds. Errors: ErrGenesis.
func (d *Doc) Check() error {
	switch {
	case d.Format != Format:
		return fmt.Errorf("%w: format %d, want %d", ErrGenesis, d.Format, Format)
	case d.Protocol > Protocol:
		return fmt.Errorf("%w: %w: the network runs protocol %d, this program knows %d", ErrGenesis, header.ErrUpgrade, d.Protocol, Protocol)
	case d.Protocol != Protocol:
		return fmt.Errorf("%w: protocol %d, want %d", ErrGenesis, d.Protocol, Protocol)
	case len(d.Network) == 0 || len(d.Network) > MaxNetwork:
		return fmt.Errorf("%w: network name of %d bytes, want 1..%d", ErrGenesis, len(d.Network), MaxNetwork)
	case d.TimeMS == 0 || d.TimeMS > 1<<52:
		return fmt.Errorf("%w: time %d ms", ErrGenesis, d.TimeMS)
	case len(d.Accounts) > MaxAccounts:
		return fmt.Errorf("%w: %d accounts, at most %d", ErrGenesis, len(d.Accounts), MaxAccounts)
	}
	if err := d.Params.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	if err := d.checkValidators(); err != nil {
		return err
	}
	if err := d.checkTerms(); err != nil {
		return err
	}
	return d.checkBalances()
}

func (d *Doc) checkValidators() error {
	set, err := d.ValidatorSet()
	if err != nil {
		return err
	}
	for i, v := range d.Validators {
		if err := v.check(d.Network != Unkeyed); err != nil {
			return fmt.Errorf("%w: validator %d: %w", ErrGenesis, i, err)
		}
		if set.Entry(i).Address != v.Address {
			return fmt.Errorf("%w: validators not in set order (power descending, then address)", ErrGenesis)
		}
		if state.ModuleName(v.Address) != "" {
			return fmt.Errorf("%w: validator %d is a module account", ErrGenesis, i)
		}
	}
	return d.checkBond()
}

// check verifies a member's keys: anybody could vote for a key of small order, and
// a BLS key without proof of possession could be made to cancel those of others.
func (v *Member) check(keyed bool) error {
	if err := v.VoteKey.Check(); err != nil {
		return err
	}
	if !keyed {
		if v.BLSKey != (bls.PublicKey{}) || v.Possession != (bls.Signature{}) || v.VRFKey != (vrf.PublicKey{}) {
			return fmt.Errorf("BLS and VRF keys on the network %q", Unkeyed)
		}
		return nil
	}
	if err := v.VRFKey.Check(); err != nil {
		return err
	}
	return bls.VerifyPossession(v.BLSKey, v.Possession)
}

// checkBond compares the module account bonded with the validators' self bonds.
func (d *Doc) checkBond() error {
	var bonded, want fixed.Amount
	for _, m := range d.Modules {
		if m.Name == "bonded" {
			bonded = m.Amount
		}
	}
	for i, v := range d.Validators {
		bond, err := v.bond()
		if err == nil {
			want, err = fixed.Add(want, bond)
		}
		if err != nil || want > state.Total {
			return fmt.Errorf("%w: power of validator %d", ErrGenesis, i)
		}
	}
	if bonded != want {
		return fmt.Errorf("%w: module bonded holds %d, the validators' powers need %d base units", ErrGenesis, bonded, want)
	}
	return nil
}

// bond is the self bond of a founding validator. Errors: fixed.ErrArith.
func (v *Member) bond() (fixed.Amount, error) {
	b, err := fixed.MulDiv(v.Power, uint64(fixed.OPEN), 1)
	return fixed.Amount(b), err
}

func (d *Doc) checkTerms() error {
	if len(d.Terms) == 0 {
		return fmt.Errorf("%w: no licence terms", ErrGenesis)
	}
	for i, t := range d.Terms {
		if t.SPDX == "" || len(enc.Encode(t)) > merkle.MaxValue {
			return fmt.Errorf("%w: terms %d have no SPDX id or are too large", ErrGenesis, i)
		}
		if i > 0 {
			if a, b := d.Terms[i-1].ID(), t.ID(); bytes.Compare(a[:], b[:]) >= 0 {
				return fmt.Errorf("%w: terms not ascending by id", ErrGenesis)
			}
		}
	}
	return nil
}

func (d *Doc) checkBalances() error {
	var sum fixed.Amount
	var err error
	for i, a := range d.Accounts {
		if i > 0 && d.Accounts[i-1].Address.Compare(a.Address) >= 0 {
			return fmt.Errorf("%w: accounts not ascending by address", ErrGenesis)
		}
		if a.Address.IsZero() || a.Amount == 0 || state.ModuleName(a.Address) != "" {
			return fmt.Errorf("%w: account %v may not have a balance here", ErrGenesis, a.Address)
		}
		if sum, err = fixed.Add(sum, a.Amount); err != nil {
			return fmt.Errorf("%w: balances overflow", ErrGenesis)
		}
	}
	for i, m := range d.Modules {
		if i > 0 && d.Modules[i-1].Name >= m.Name {
			return fmt.Errorf("%w: modules not ascending by name", ErrGenesis)
		}
		if state.ModuleName(keys.ModuleAddress(m.Name)) != m.Name {
			return fmt.Errorf("%w: no module account %q", ErrGenesis, m.Name)
		}
		if sum, err = fixed.Add(sum, m.Amount); err != nil {
			return fmt.Errorf("%w: balances overflow", ErrGenesis)
		}
	}
	if sum != state.Total {
		return fmt.Errorf("%w: balances sum to %d, want %d base units", ErrGenesis, sum, state.Total)
	}
	return nil
}

// ValidatorSet returns the validators as consensus takes them. Errors:
// ErrGenesis.
func (d *Doc) ValidatorSet() (*valset.Set, error) {
	entries := make([]valset.Entry, len(d.Validators))
	for i, v := range d.Validators {
		entries[i] = valset.Entry{Address: v.Address, Key: v.VoteKey, Power: v.Power}
		if d.Network != Unkeyed {
			entries[i].BLS, entries[i].VRF = v.BLSKey[:], v.VRFKey[:]
		}
	}
	set, err := valset.New(Epoch, entries)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	return set, nil
}

// Header returns the header of height 0. Errors: ErrGenesis.
func (d *Doc) Header() (header.Header, error) {
	set, err := d.ValidatorSet()
	if err != nil {
		return header.Header{}, err
	}
	return header.Genesis(d.ChainID(), set.Hash(), Epoch, d.TimeMS), nil
}

// Writes returns the state of height 0, ascending by key. The document must have
// passed Check.
func (d *Doc) Writes() []merkle.KV {
	o := state.NewOverlay(nothing{})
	for _, a := range d.Accounts {
		o.Put(state.AccountKey(a.Address), enc.Encode(state.Account{Free: a.Amount}))
	}
	for _, m := range d.Modules {
		o.Put(state.AccountKey(keys.ModuleAddress(m.Name)), enc.Encode(state.Account{Free: m.Amount}))
	}
	for _, t := range d.Terms {
		id := t.ID()
		o.Put(state.TermsKey(id), enc.Encode(t))
	}
	d.writeValidators(o)
	o.Put(state.ParamsKey(), enc.Encode(d.Params))
	o.Put(state.ClockKey(), enc.Encode(state.Clock{
		TimeMS: d.TimeMS, CTimeMS: d.TimeMS, BaseFee: d.Params.BaseFeeMin,
		Epoch: Epoch, EpochStartMS: d.TimeMS, EpochCTimeMS: d.TimeMS,
	}))
	return o.Writes()
}

// writeValidators writes the first set, and each member's pool with its self bond.
func (d *Doc) writeValidators(o *state.Overlay) {
	set := make([]state.Validator, len(d.Validators))
	for i, v := range d.Validators {
		set[i] = state.Validator{Address: v.Address, VoteKey: v.VoteKey, BLSKey: v.BLSKey, VRFKey: v.VRFKey, Power: v.Power}
		bond, err := v.bond()
		if err != nil {
			panic(fmt.Sprintf("genesis: %v", err)) // Check has seen it
		}
		o.Put(state.CandidateKey(v.Address), enc.Encode(state.Candidate{
			VoteKey: v.VoteKey, BLSKey: v.BLSKey, VRFKey: v.VRFKey,
			Tokens: bond, Shares: uint64(bond), SelfShares: uint64(bond),
		}))
		o.Put(state.DelegationKey(v.Address, v.Address), enc.Encode(state.Delegation{Shares: uint64(bond)}))
		for _, k := range [][]byte{v.VoteKey[:], v.BLSKey[:], v.VRFKey[:]} {
			o.Put(state.UsedKeyKey(k), enc.Encode(v.Address))
		}
	}
	o.Put(state.ValidatorsKey(), enc.Encode(set))
}

// nothing is the empty View below the first state.
type nothing struct{}

func (nothing) Get([]byte) ([]byte, error)                   { return nil, nil }
func (nothing) Scan(_, _ []byte, _ int) ([]merkle.KV, error) { return nil, nil }
