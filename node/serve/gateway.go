// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/settle"
	"github.com/openledger/openledger/node/worker"
)

// ID is an object id.
type ID = channel.ID

// Errors of requests, besides those of settle.Till.Accept.
var (
	ErrNotServed = errors.New("this node does not serve the offer")
	ErrLoading   = errors.New("the model is being loaded")
	ErrBusy      = errors.New("too many requests wait")
	ErrRow       = errors.New("the row does not fit the model")
)

// Bounds.
const (
	maxWaiting = 64 // requests that wait or are computed
	maxModels  = 16 // models in memory
)

// Config is what New needs.
type Config struct {
	Services worker.Services // state and content
	Till     *settle.Till
	Key      keys.PrivateKey // of the operator; signs receipts
	ChainID  [32]byte
	Clock    clock.Clock
	Parallel int // answers computed at once; 0 means 2
	Log      *slog.Logger
}

// Gateway serves the open offers of one operator. Load runs in one goroutine;
// all else is safe for concurrent use.
type Gateway struct {
	cfg   Config
	log   *slog.Logger
	slots chan struct{} // one per answer that is computed
	queue chan struct{} // one per request that waits or is computed

	mu     sync.Mutex
	offers map[ID]*served // nil while its model is loaded
}

// served is an open offer with its model in memory.
type served struct {
	offer state.Offer
	price econ.Price
	model *loaded
}

// New returns a gateway that serves nothing until Load.
func New(cfg Config) *Gateway {
	if cfg.Parallel <= 0 {
		cfg.Parallel = 2
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Gateway{cfg: cfg, log: cfg.Log, slots: make(chan struct{}, cfg.Parallel), queue: make(chan struct{}, maxWaiting), offers: map[ID]*served{}}
}

// Load brings the open offers of the operator into memory and forgets those that
// ended. It fetches what is missing, which can take long; offers that are ready
// serve meanwhile. A model that cannot be loaded is tried again at the next call.
// Errors: all that failed, joined.
func (g *Gateway) Load(ctx context.Context) error {
	v, err := g.cfg.Services.View()
	if err != nil {
		return err
	}
	all, err := OpenOffers(v, g.cfg.Clock.Wall())
	if err != nil {
		return err
	}
	var own []state.Entry[state.Offer]
	for _, e := range all {
		if e.Value.Operator == g.cfg.Services.Operator() {
			own = append(own, e)
		}
	}
	models := g.keep(own)
	var errs []error
	for _, e := range own {
		if err := g.bring(ctx, v, e, models); err != nil {
			errs = append(errs, fmt.Errorf("offer %v: %w", e.ID, err))
		}
	}
	return errors.Join(errs...)
}

// bring makes one offer ready.
func (g *Gateway) bring(ctx context.Context, v state.View, e state.Entry[state.Offer], models map[ID]*loaded) error {
	if g.Serves(e.ID) {
		return nil
	}
	rec, err := state.GetModel(v, e.Value.Model)
	if err != nil {
		return err
	}
	m := models[e.Value.Model]
	if m == nil {
		if len(models) >= maxModels {
			return fmt.Errorf("%d models are in memory", len(models))
		}
		if m, err = g.loadModel(ctx, e.Value.Model, rec); err != nil {
			return err
		}
		models[e.Value.Model] = m
	}
	g.mu.Lock()
	g.offers[e.ID] = &served{offer: e.Value, price: econ.Price{Ask: e.Value.Ask, Royalty: rec.Royalty}, model: m}
	g.mu.Unlock()
	g.log.Info("serving", "offer", e.ID, "model", rec.Name, "price", e.Value.Ask+rec.Royalty)
	return nil
}

// OpenOffers lists every offer that is open when the next block is made at wall,
// by id.
func OpenOffers(v state.View, wall uint64) (out []state.Entry[state.Offer], err error) {
	clock, err := state.GetClock(v)
	if err != nil {
		return nil, err
	}
	const page = 256
	now := settle.ChainNow(clock, wall)
	var after *state.ID
	for {
		list, err := state.ListOffers(v, after, page)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.Value.ValidUntil > now {
				out = append(out, e)
			}
		}
		if len(list) < page {
			return out, nil
		}
		after = &list[len(list)-1].ID
	}
}

// keep forgets offers that are not listed, marks new ones as being loaded, and
// returns the models in memory.
func (g *Gateway) keep(list []state.Entry[state.Offer]) map[ID]*loaded {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.offers
	g.offers = map[ID]*served{}
	models := map[ID]*loaded{}
	for _, e := range list {
		s := old[e.ID]
		g.offers[e.ID] = s
		if s != nil {
			models[e.Value.Model] = s.model
		}
	}
	return models
}

// Serves reports whether answers under the offer can be asked for here now.
func (g *Gateway) Serves(offer ID) bool {
	s, err := g.served(offer)
	return err == nil && s != nil
}

// served returns an open offer. Errors: ErrNotServed, ErrLoading.
func (g *Gateway) served(offer ID) (*served, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, known := g.offers[offer]
	switch {
	case !known:
		return nil, ErrNotServed
	case s == nil:
		return nil, ErrLoading
	}
	return s, nil
}
