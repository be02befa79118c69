// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/node/store"
)

// laneID names a lane: channel ‖ offer.
type laneID struct{ channel, offer ID }

// laneRecord is what the operator holds of a lane. Newest was accepted last;
// Answered is the newest voucher whose receipt is on disk, the one to redeem.
// SinceMS is the wall time of the first voucher that is not redeemed. Redeemed is
// what the blocks up to height Seen redeemed.
type laneRecord struct {
	_        struct{} `cbor:",toarray"`
	Newest   channel.SignedVoucher
	Answered *channel.SignedVoucher
	SinceMS  uint64
	Redeemed fixed.Amount
	Seen     uint64
}

// answerRecord is one paid answer. Row is the hash of the request, to tell a
// retry from another request.
type answerRecord struct {
	_      struct{} `cbor:",toarray"`
	Row    [32]byte
	Answer Answer
}

// runRecord is a payee's run of lines in the book of an epoch and offer.
type runRecord struct {
	_      struct{} `cbor:",toarray"`
	First  uint64
	Amount fixed.Amount
}

// bookID names the book of one ledger epoch and offer.
type bookID struct {
	epoch uint64
	offer ID
}

// The local records. A receipt stands under answer for ever; it has an entry
// under open until its voucher is redeemed and then one under book.
const (
	keyCursor = "serve/cursor" // height up to which redeems are booked
	preLane   = "serve/lane/"  // channel ‖ offer → laneRecord
	preAnswer = "serve/answer/"
	preOpen   = "serve/open/" // channel ‖ offer ‖ nonce → cum
	preBook   = "serve/book/" // epoch ‖ offer ‖ channel ‖ nonce → nothing
	preDue    = "serve/due/"  // epoch ‖ offer → nothing: to be committed
	preRun    = "serve/run/"  // payee ‖ epoch ‖ offer → runRecord
)

// disk is the part of store.Local that the books need.
type disk interface {
	Get(key []byte) ([]byte, error)
	Put(key, value []byte, sync bool) error
	Delete(key []byte, sync bool) error
	Iterate(prefix []byte, visit func(key, value []byte) bool) error
}

// records reads and writes the books.
type records struct{ l disk }

func join(prefix string, parts ...[]byte) []byte {
	return append([]byte(prefix), slices.Concat(parts...)...)
}

func be(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func laneKey(id laneID) []byte { return join(preLane, id.channel[:], id.offer[:]) }

func answerKey(id laneID, nonce uint64) []byte {
	return join(preAnswer, id.channel[:], id.offer[:], be(nonce))
}

func openKey(id laneID, nonce uint64) []byte {
	return join(preOpen, id.channel[:], id.offer[:], be(nonce))
}

func bookKey(b bookID, ch ID, nonce uint64) []byte {
	return join(preBook, be(b.epoch), b.offer[:], ch[:], be(nonce))
}

func dueKey(b bookID) []byte { return join(preDue, be(b.epoch), b.offer[:]) }

func runKey(payee keys.Address, b bookID) []byte {
	return join(preRun, payee[:], be(b.epoch), b.offer[:])
}

// load reads a record; ok is false if there is none. Errors: store.ErrCorrupt.
func load[T any](r records, key []byte) (v T, ok bool, err error) {
	b, err := r.l.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return v, false, nil
	}
	if err == nil {
		err = decodeRecord(key, b, &v)
	}
	return v, err == nil, err
}

func decodeRecord(key, b []byte, v any) error {
	if err := enc.Decode(b, v); err != nil {
		return fmt.Errorf("%w: record %.12q: %w", store.ErrCorrupt, key, err)
	}
	return nil
}

func (r records) put(key []byte, v any, sync bool) error { return r.l.Put(key, enc.Encode(v), sync) }

func (r records) lane(id laneID) (laneRecord, bool, error) { return load[laneRecord](r, laneKey(id)) }

func (r records) answer(id laneID, nonce uint64) (answerRecord, bool, error) {
	return load[answerRecord](r, answerKey(id, nonce))
}

// lanes visits the lanes of a channel, or all. visit must not use the records.
func (r records) lanes(ch *ID, visit func(laneID, laneRecord) bool) error {
	prefix := []byte(preLane)
	if ch != nil {
		prefix = append(prefix, ch[:]...)
	}
	var bad error
	err := r.l.Iterate(prefix, func(k, v []byte) bool {
		var l laneRecord
		rest := k[len(preLane):]
		if len(rest) != 64 {
			bad = fmt.Errorf("%w: lane %x", store.ErrCorrupt, rest)
		} else if bad = decodeRecord(k, v, &l); bad == nil {
			return visit(laneID{ID(rest[:32]), ID(rest[32:])}, l)
		}
		return false
	})
	return errors.Join(err, bad)
}

// openEntry is a receipt whose voucher is not redeemed.
type openEntry struct {
	nonce uint64
	cum   fixed.Amount
}

func (r records) open(id laneID) (out []openEntry, err error) {
	prefix := join(preOpen, id.channel[:], id.offer[:])
	var bad error
	err = r.l.Iterate(prefix, func(k, v []byte) bool {
		e := openEntry{}
		if len(k) != len(prefix)+8 {
			bad = fmt.Errorf("%w: open receipt %x", store.ErrCorrupt, k)
		} else if bad = decodeRecord(k, v, &e.cum); bad == nil {
			e.nonce = binary.BigEndian.Uint64(k[len(prefix):])
			out = append(out, e)
		}
		return bad == nil
	})
	return out, errors.Join(err, bad)
}

// book lists the answers of a book. Entries whose answer was never given are
// left out.
func (r records) book(b bookID) ([]answerRecord, error) {
	prefix := join(preBook, be(b.epoch), b.offer[:])
	var keysOf [][]byte
	err := r.l.Iterate(prefix, func(k, _ []byte) bool {
		keysOf = append(keysOf, bytes.Clone(k[len(prefix):]))
		return true
	})
	if err != nil {
		return nil, err
	}
	var out []answerRecord
	for _, k := range keysOf {
		if len(k) != 40 {
			return nil, fmt.Errorf("%w: book entry %x", store.ErrCorrupt, k)
		}
		a, ok, err := r.answer(laneID{ID(k[:32]), b.offer}, binary.BigEndian.Uint64(k[32:]))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// due lists the books that wait for their commit, oldest first.
func (r records) due() (out []bookID, err error) {
	err = r.l.Iterate([]byte(preDue), func(k, _ []byte) bool {
		if rest := k[len(preDue):]; len(rest) == 40 {
			out = append(out, bookID{binary.BigEndian.Uint64(rest), ID(rest[8:])})
		}
		return true
	})
	return out, err
}

// ownRun is a payee's run in one book.
type ownRun struct {
	book bookID
	run  runRecord
}

func (r records) runs(payee keys.Address) (out []ownRun, err error) {
	prefix := join(preRun, payee[:])
	var bad error
	err = r.l.Iterate(prefix, func(k, v []byte) bool {
		var o ownRun
		if rest := k[len(prefix):]; len(rest) == 40 {
			o.book = bookID{binary.BigEndian.Uint64(rest), ID(rest[8:])}
			if bad = decodeRecord(k, v, &o.run); bad == nil {
				out = append(out, o)
			}
		}
		return bad == nil
	})
	return out, errors.Join(err, bad)
}
