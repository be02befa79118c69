// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/worker"
)

// ID is an object id.
type ID = channel.ID

// Errors. A voucher that the ledger itself would refuse gives the errors of
// channel.CheckVoucher.
var (
	ErrPrice   = errors.New("the voucher adds less than the price")
	ErrNonce   = errors.New("the voucher is not newer than the last one")
	ErrSpent   = errors.New("the voucher has paid for another request")
	ErrEnding  = errors.New("the channel, the offer or the voucher ends too soon")
	ErrUnknown = errors.New("not in the books of this node")
	ErrTooMany = errors.New("too many lines for one statement")
)

// Bounds.
const (
	maxTickMS = 10_000 // how far one block can move the chain clock (ACC-03)
	maxWhy    = 4_096  // lines in one Why statement
	maxBooks  = 4      // books in memory
)

// Answer is a paid answer: the label, the bits of each class's logit, the salt
// under the receipt's commitments, and the receipt.
type Answer struct {
	_       struct{} `cbor:",toarray"`
	Label   uint64
	Logits  []uint32
	Salt    ID
	Receipt receipt.SignedReceipt
}

// Redeem is what redeemed vouchers added to one lane in one block.
type Redeem struct {
	Height  uint64
	Channel ID
	Offer   ID
	Delta   fixed.Amount
	Epoch   uint64 // ledger epoch whose pending it joined
}

// Config is what New needs.
type Config struct {
	Services worker.Services // of the operator: state, sending, local records
	ChainID  [32]byte
	Clock    clock.Clock
	// Redeems lists the redeems of the operator's lanes above a height in ledger
	// order, at most one per lane and height, and up to which height it looked.
	Redeems func(ctx context.Context, above uint64) ([]Redeem, uint64, error)
	Log     *slog.Logger
}

// Till holds one operator's books. Run runs in one goroutine; Accept and Finish
// in the turn of their channel; all else at any time.
type Till struct {
	cfg Config
	log *slog.Logger
	db  records

	mu    sync.Mutex
	used  bool // a lane is on disk, or is about to be
	turns map[ID]*turn
	dirty map[laneID]bool // lanes that hold more than was redeemed

	desk  chan struct{} // held by whoever builds a book or a statement, one at a time
	books []cachedBook  // of who holds desk

	later map[string]uint64 // of Run: what was refused is tried again at this wall time
}

// New opens the books in the local records of Services. Errors: those of the
// store.
func New(cfg Config) (*Till, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Till{cfg: cfg, log: cfg.Log, db: records{cfg.Services.Local()}, turns: map[ID]*turn{}, desk: make(chan struct{}, 1), dirty: map[laneID]bool{}, later: map[string]uint64{}}
	return t, t.recover()
}

// recover finds the lanes that hold more than was redeemed, and the answer that
// a crash kept from being noted as the newest.
func (t *Till) recover() error {
	held := map[laneID]laneRecord{}
	if err := t.db.lanes(nil, func(id laneID, l laneRecord) bool {
		t.used = true
		if l.Newest.Voucher.Cum > l.Redeemed {
			t.dirty[id], held[id] = true, l
		}
		return true
	}); err != nil {
		return err
	}
	for id, l := range held {
		_, ok, err := t.db.answer(id, l.Newest.Voucher.Nonce)
		if err != nil {
			return err
		}
		if !ok || l.Answered != nil && *l.Answered == l.Newest {
			continue
		}
		l.Answered = &l.Newest
		if err := t.db.put(laneKey(id), l, false); err != nil {
			return err
		}
	}
	return nil
}

// begin notes before the first lane of these books that no block up to height
// concerns them. Without lanes Run has nothing to follow.
func (t *Till) begin(height uint64) error {
	t.mu.Lock()
	first := !t.used
	t.used = true
	t.mu.Unlock()
	if !first {
		return nil
	}
	return t.db.put([]byte(keyCursor), height, false)
}

// turn serialises the requests of one channel.
type turn struct {
	busy  chan struct{}
	users int
}

// Enter waits for the turn of a channel; leave ends it. Errors: ctx's.
func (t *Till) Enter(ctx context.Context, id ID) (leave func(), err error) {
	t.mu.Lock()
	w := t.turns[id]
	if w == nil {
		w = &turn{busy: make(chan struct{}, 1)}
		t.turns[id] = w
	}
	w.users++
	t.mu.Unlock()
	gone := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.users--; w.users == 0 {
			delete(t.turns, id)
		}
	}
	select {
	case w.busy <- struct{}{}:
		return func() { <-w.busy; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}

// ChainNow is the chain time in milliseconds of the next block if it were made
// at wall. Spec: ACC-03.
func ChainNow(c state.Clock, wall uint64) uint64 {
	return c.CTimeMS + min(max(wall, c.TimeMS)-c.TimeMS, maxTickMS)
}

// redeemAfter is how many milliseconds a voucher may wait before it is redeemed:
// a fifth of an epoch, within one second and ten minutes.
func redeemAfter(p state.Params) uint64 { return min(max(p.EpochMS/5, 1_000), 600_000) }
