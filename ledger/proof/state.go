// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"encoding/hex"
	"encoding/json"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// FormatState names the form of a State statement.
const FormatState = "openledger/proof/1"

// State says that a key of the state has a value, or is absent, after block
// Anchor.StateHeight(). Spec: STA-05.
type State struct {
	_      struct{} `cbor:",toarray"`
	Format string
	Anchor Anchor
	Proof  merkle.StateProof
}

// NewState makes a statement.
func NewState(a Anchor, p merkle.StateProof) State {
	return State{Format: FormatState, Anchor: a, Proof: p}
}

// Epoch implements Statement.
func (s *State) Epoch() uint64 { return s.Anchor.Header.Epoch }

// Key returns the key that the statement is about.
func (s *State) Key() []byte { return s.Proof.Key }

// Value returns the value, nil if the statement is that there is none.
func (s *State) Value() []byte { return value(s.Proof) }

func value(p merkle.StateProof) []byte {
	if p.Value == nil {
		return nil
	}
	return *p.Value
}

// Verify checks certificate, header and state proof. Errors: ErrFalse with the
// first check that failed, ErrTrust.
func (s *State) Verify(t Trust) (Report, error) {
	var r Report
	if err := s.Anchor.verify(t, &r); err != nil {
		return r, err
	}
	return r, checkState(&r, &s.Anchor, s.Proof, "key "+hex.EncodeToString(s.Proof.Key))
}

// checkState verifies one state proof under an anchor that is verified.
func checkState(r *Report, a *Anchor, p merkle.StateProof, what string) error {
	if err := p.Verify(a.Header.StateRoot); err != nil {
		return fail("state proof of "+what, err)
	}
	if p.Present() {
		r.pass("%s has the stated value after block %d", what, a.StateHeight())
	} else {
		r.pass("%s is absent after block %d", what, a.StateHeight())
	}
	return nil
}

// Encode returns the exact bytes.
func (s *State) Encode() []byte { return enc.Encode(s) }

// DecodeState reads the exact bytes of a State. Errors: ErrFormat.
func DecodeState(b []byte) (State, error) {
	return decode(b, func(s *State) (string, string) { return s.Format, FormatState })
}

type stateJSON struct {
	Format string  `json:"format"`
	Height uint64  `json:"height"`       // of the header
	After  uint64  `json:"state_height"` // of the last block in the state
	Key    string  `json:"key"`
	Value  *string `json:"value"`
	Exact  []byte  `json:"exact"`
}

// MarshalJSON prints the statement for people, with the exact bytes beside.
func (s State) MarshalJSON() ([]byte, error) {
	j := stateJSON{
		Format: s.Format, Height: s.Anchor.Header.Height, After: s.Anchor.StateHeight(),
		Key: hex.EncodeToString(s.Proof.Key), Exact: s.Encode(),
	}
	if s.Proof.Value != nil {
		v := hex.EncodeToString(*s.Proof.Value)
		j.Value = &v
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON prints and refuses text that differs from
// the exact bytes. Errors: ErrFormat, ErrFalse.
func (s *State) UnmarshalJSON(b []byte) (err error) {
	*s, err = fromJSON(b, DecodeState)
	return err
}
