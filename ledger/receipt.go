// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/tx"
)

// ID is an object id or another bare 32-byte value.
type ID = tx.ID

// Event is one thing that execution did. Kind and Sub name it (see EventName);
// IDs are the objects and accounts concerned, Amounts base units or counts, both
// in the order that EventName's table states. Spec: TXN-04.
type Event struct {
	_       struct{} `cbor:",toarray"`
	Kind    tx.Kind  `json:"kind"`
	Sub     uint8    `json:"sub"`
	IDs     []ID     `json:"ids"`
	Amounts []uint64 `json:"amounts"`
}

// Receipt is the outcome of one transaction: Code 0 is success; Fee is what was
// taken, in base units, also on failure, and 0 if the transaction was not
// admitted at all. The receipt with the zero TxID comes first in a block that
// has one and carries the events of the due-queue and the epoch duties.
// Spec: TXN-04.
type Receipt struct {
	_      struct{}     `cbor:",toarray"`
	TxID   ID           `json:"txid"`
	Code   tx.Code      `json:"code"`
	Fee    fixed.Amount `json:"fee"`
	Events []Event      `json:"events,omitempty"`
}

// System reports whether the receipt belongs to the block, not to a transaction.
func (r Receipt) System() bool { return r.TxID == ID{} }

// Refused reports a transaction that was not admitted: no fee, no effect, and it
// may come again.
func (r Receipt) Refused() bool { return r.Code != 0 && r.Fee == 0 }

// Encode returns the bytes that the receipts root commits to.
func (r Receipt) Encode() []byte { return enc.Encode(r) }

// DecodeReceipt reads one receipt. Errors: those of enc.Decode.
func DecodeReceipt(b []byte) (Receipt, error) {
	var r Receipt
	err := enc.Decode(b, &r)
	return r, err
}

// ReceiptsRoot is the RFC 6962 root over the receipts of a block (TXN-04).
func ReceiptsRoot(list []Receipt) [32]byte {
	leaves := make([][]byte, len(list))
	for i, r := range list {
		leaves[i] = r.Encode()
	}
	return merkle.Root(leaves)
}
