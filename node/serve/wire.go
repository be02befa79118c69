// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/settle"
)

// Protocol is the name of the stream by which nodes ask an operator's node.
const Protocol = "infer/1"

// Bounds of infer/1 in bytes. A reply travels as frames of at most MaxFrame.
const (
	MaxFrame   = 256 << 10
	MaxRequest = 128 << 10
	MaxReply   = 12 << 20
)

// Kinds of requests.
const (
	AskAnswer uint64 = 1 // Voucher, Row → settle.Answer
	AskWhy    uint64 = 2 // Account, Object (a commit) → proof.Why bytes
	AskClaim  uint64 = 3 // Account, Object (a commit) → ClaimReply
	AskOwed   uint64 = 4 // Account → OwedReply
	AskLanes  uint64 = 5 // Object (a channel) → LanesReply
)

// ErrFrame reports a frame of infer/1 that cannot be right.
var ErrFrame = errors.New("malformed infer/1 frame")

// Request is what a node asks an operator's node. Fields that a kind does not
// use are null.
type Request struct {
	_       struct{} `cbor:",toarray"`
	Kind    uint64
	Voucher *channel.SignedVoucher
	Row     *[]byte
	Account *keys.Address
	Object  *ID
}

// Encode returns the canonical bytes.
func (r Request) Encode() []byte { return enc.Encode(r) }

// DecodeRequest reads a request and checks that exactly the fields of its kind
// are there. Errors: ErrFrame.
func DecodeRequest(b []byte) (Request, error) {
	var r Request
	if len(b) > MaxRequest {
		return r, fmt.Errorf("%w: %d bytes", ErrFrame, len(b))
	}
	if err := enc.Decode(b, &r); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	answer, account, object := false, false, false
	switch r.Kind {
	case AskAnswer:
		answer = true
	case AskWhy, AskClaim:
		account, object = true, true
	case AskOwed:
		account = true
	case AskLanes:
		object = true
	default:
		return Request{}, fmt.Errorf("%w: kind %d", ErrFrame, r.Kind)
	}
	if (r.Voucher != nil) != answer || (r.Row != nil) != answer || (r.Account != nil) != account || (r.Object != nil) != object {
		return Request{}, fmt.Errorf("%w: fields of kind %d", ErrFrame, r.Kind)
	}
	if answer {
		if err := r.Voucher.Voucher.Check(); err != nil {
			return Request{}, fmt.Errorf("%w: %w", ErrFrame, err)
		}
	}
	return r, nil
}

// Refusal is why a request was not answered, in the terms of rpc/api: Class is
// the JSON-RPC number without its sign, Code the stable name, Number the ledger's.
type Refusal struct {
	_       struct{} `cbor:",toarray"`
	Class   uint64
	Code    string
	Number  uint64
	Message string
	Hint    string
}

// Reply is the answer to a Request: exactly one of Refusal and Body. Body is the
// encoding of what the kind of the request promises.
type Reply struct {
	_       struct{} `cbor:",toarray"`
	Refusal *Refusal
	Body    *[]byte
}

// Encode returns the canonical bytes.
func (r Reply) Encode() []byte { return enc.Encode(r) }

// maxText bounds a text of a refusal in bytes.
const maxText = 1_024

// DecodeReply reads a reply. Errors: ErrFrame.
func DecodeReply(b []byte) (Reply, error) {
	var r Reply
	if len(b) > MaxReply {
		return r, fmt.Errorf("%w: %d bytes", ErrFrame, len(b))
	}
	if err := enc.Decode(b, &r); err != nil {
		return Reply{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	if (r.Refusal == nil) == (r.Body == nil) {
		return Reply{}, fmt.Errorf("%w: neither refusal nor body", ErrFrame)
	}
	if f := r.Refusal; f != nil && (f.Code == "" || len(f.Code) > maxText || len(f.Message) > maxText || len(f.Hint) > maxText) {
		return Reply{}, fmt.Errorf("%w: refusal", ErrFrame)
	}
	return r, nil
}

// ClaimReply answers AskClaim.
type ClaimReply struct {
	_      struct{} `cbor:",toarray"`
	Claim  tx.ClaimEpoch
	Amount fixed.Amount
}

// OwedReply answers AskOwed.
type OwedReply struct {
	_     struct{} `cbor:",toarray"`
	Items []settle.Owed
}

// LanesReply answers AskLanes.
type LanesReply struct {
	_        struct{} `cbor:",toarray"`
	Vouchers []channel.SignedVoucher
}

// DecodeBody reads the body of a reply into v, a pointer to one of the reply
// types or to a settle.Answer. Errors: ErrFrame.
func DecodeBody(b []byte, v any) error {
	if err := enc.Decode(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return nil
}
