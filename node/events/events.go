// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"slices"
	"sync"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/rpc/api"
)

// Bounds of one page of events: its length, and the heights that are searched.
const (
	MaxPage = 1_000
	maxScan = 1_000
)

// Log reads events of one chain. It is safe for concurrent use.
type Log struct {
	chain *chain.Chain

	mu     sync.Mutex
	news   chan struct{} // closed and replaced at each commit
	recent [64]summary   // of the newest blocks, by height modulo their number
}

// summary is the topics of one block's events.
type summary struct {
	height uint64
	topics []string
}

// New returns the event log of c.
func New(c *chain.Chain) *Log { return &Log{chain: c, news: make(chan struct{})} }

// Committed takes note of a block's receipts and wakes all who wait.
func (l *Log) Committed(height uint64, receipts []ledger.Receipt) {
	sum := summary{height: height}
	last := tx.Kind(0)
	for _, r := range receipts {
		for _, e := range r.Events {
			if e.Kind == last {
				continue // most blocks have one kind
			}
			last = e.Kind
			if t := Topic(e.Kind); !slices.Contains(sum.topics, t) {
				sum.topics = append(sum.topics, t)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent[height%uint64(len(l.recent))] = sum
	close(l.news)
	l.news = make(chan struct{})
}

// Any reports whether a block above height after, up to height to, has an event
// of one of the topics; known is false if that is too long ago to tell. Cost: no
// look at a block.
func (l *Log) Any(after, to uint64, topics []string) (found, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to > after+uint64(len(l.recent)) {
		return false, false
	}
	for h := after + 1; h <= to; h++ {
		s := &l.recent[h%uint64(len(l.recent))]
		if s.height != h {
			return false, false
		}
		found = found || slices.ContainsFunc(s.topics, func(t string) bool { return slices.Contains(topics, t) })
	}
	return found, true
}

// Wait returns when a block above the cursor's height is committed, or with
// ctx's error.
func (l *Log) Wait(ctx context.Context, after api.Cursor) error {
	for {
		l.mu.Lock()
		news := l.news
		l.mu.Unlock()
		if l.chain.Head().Height > after.Height {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Events returns the events after the cursor p.From; the zero cursor is that of
// the genesis block. Event 0 of a height is its head event. Next is the cursor to
// go on from; a page shorter than the limit ends with the last event of Next's
// height, which lies below the head if many heights had to be searched.
func (l *Log) Events(ctx context.Context, p api.EventsParams) (api.ChainEvents, error) {
	limit := p.Limit
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	out := api.ChainEvents{Items: []api.Event{}, Next: p.From}
	head := l.chain.Head().Height
	for h := p.From.Height; h <= head && h-p.From.Height < maxScan && ctx.Err() == nil; h++ {
		list, err := l.at(h)
		if err != nil {
			return out, err
		}
		for _, e := range list {
			if h == p.From.Height && e.Seq <= p.From.Seq {
				continue
			}
			out.Next = api.Cursor{Height: e.Height, Seq: e.Seq}
			if !wanted(p, e) {
				continue
			}
			if out.Items = append(out.Items, e); len(out.Items) >= limit {
				return out, nil
			}
		}
	}
	return out, ctx.Err()
}

func wanted(p api.EventsParams, e api.Event) bool {
	if len(p.Topics) > 0 && !slices.Contains(p.Topics, e.Topic) {
		return false
	}
	return p.Account == nil || slices.Contains(e.IDs, api.Hash(*p.Account))
}

// at lists the events of one height.
func (l *Log) at(height uint64) ([]api.Event, error) {
	h, _, err := l.chain.Header(height)
	if err != nil {
		return nil, err
	}
	receipts, err := l.chain.Receipts(height)
	if err != nil {
		return nil, err
	}
	out := []api.Event{{Height: height, Topic: "head", Name: "Head", IDs: []api.Hash{h.Hash()}}}
	for _, r := range receipts {
		for _, e := range FromReceipt(height, r) {
			e.Seq = uint64(len(out))
			out = append(out, e)
		}
	}
	return out, nil
}

// FromReceipt gives the events of one receipt their names; Seq is not set.
func FromReceipt(height uint64, r ledger.Receipt) []api.Event {
	out := make([]api.Event, len(r.Events))
	for i, e := range r.Events {
		out[i] = api.Event{Height: height, Topic: Topic(e.Kind), Name: e.Name(), IDs: e.IDs}
		for _, a := range e.Amounts {
			out[i].Amounts = append(out[i].Amounts, fixed.Amount(a))
		}
		if !r.System() {
			id := r.TxID
			out[i].TxID = &id
		}
	}
	return out
}

// Topic is the subscription topic of a kind's events.
func Topic(k tx.Kind) string {
	switch k {
	case tx.KindDatasetUpload, tx.KindDatanetCreate:
		return "dataset"
	case tx.KindModelManifest, tx.KindAttributionCommit, tx.KindOfferPost:
		return "model"
	case tx.KindTrainDescriptor, tx.KindTaskClaim, tx.KindTaskCommit:
		return "task"
	case tx.KindCheckCommit, tx.KindCheckReveal:
		return "check"
	case tx.KindChannelOpen, tx.KindChannelRedeem, tx.KindChannelClose:
		return "channel"
	case tx.KindEpochCommit, tx.KindClaimEpoch:
		return "payout"
	}
	return "tx"
}
