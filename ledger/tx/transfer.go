// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// MaxMemo bounds the memo of a Transfer in bytes.
const MaxMemo = 64

// Transfer (0101) moves Amount base units from the sender to To.
type Transfer struct {
	_      struct{}     `cbor:",toarray"`
	To     keys.Address `json:"to"`
	Amount fixed.Amount `json:"amount"`
	Memo   []byte       `json:"memo,omitempty"`
}

// Kind implements Payload.
func (*Transfer) Kind() Kind { return KindTransfer }

// Writes implements Payload: both accounts.
func (*Transfer) Writes() uint64 { return 2 }

// Check implements Payload.
func (p *Transfer) Check() error {
	if len(p.Memo) > MaxMemo {
		return Errorf(EncField, "memo has %d bytes, at most %d", len(p.Memo), MaxMemo)
	}
	return checks(account("to", p.To), positive("amount", p.Amount))
}
