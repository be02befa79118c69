// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/snapshot"
	"github.com/openledger/openledger/p2p/peers"
)

const (
	askTimeout = 20 * time.Second
	perPeer    = 2    // chunks asked from one peer at a time
	maxPeers   = 8    // peers asked at a time
	lieCost    = -200 // P2P-12
	strikes    = 3    // failures of a peer until it is left alone
	busyPause  = 200 * time.Millisecond
	tellEvery  = 5 * time.Second
)

// Source asks peers.
type Source interface {
	// Peers returns whom to ask, the best first.
	Peers() []peers.ID
	// Ask sends one request and hands each frame of the answer to each.
	Ask(ctx context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error
	Punish(id peers.ID, points float64)
}

// FetchConfig is what Fetch needs.
type FetchConfig struct {
	Dir    string // where chunks are kept until they are imported
	Source Source
	Log    *slog.Logger // progress lines; nil drops them
}

// Fetched is a complete set of verified chunks on disk.
type Fetched struct {
	Seal  header.Header
	Offer Offer
	dir   string
}

// Fetch brings every chunk of the snapshot of seal, whose header the caller knows
// to be final, from all peers that offer it. Chunks that an earlier call has
// brought are verified again and not fetched.
//
// Errors: ErrPeers when no peer has what is missing, those of ctx and of the file
// system. What is on disk stays for the next call.
func Fetch(ctx context.Context, cfg FetchConfig, seal header.Header) (*Fetched, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	groups := offers(ctx, cfg, &seal)
	if len(groups) == 0 {
		return nil, fmt.Errorf("%w: height %d", ErrPeers, seal.Height)
	}
	var errs []error
	for _, g := range groups {
		f := &fetcher{cfg: cfg, seal: seal, offer: g.offer, start: time.Now(),
			dir: filepath.Join(cfg.Dir, fmt.Sprintf("join-%d-%d", seal.Height, g.offer.Depth))}
		err := f.run(ctx, g.peers)
		if err == nil {
			return &Fetched{Seal: seal, Offer: g.offer, dir: f.dir}, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// group is the peers that offer the same thing.
type group struct {
	offer Offer
	peers []peers.ID
}

// offers asks all peers and groups those that offer the seal's snapshot by depth,
// the largest group first.
func offers(ctx context.Context, cfg FetchConfig, seal *header.Header) []*group {
	var list []*group
	for _, id := range cfg.Source.Peers() {
		o, err := offerOf(ctx, cfg, id, seal)
		if errors.Is(err, ErrLie) {
			cfg.Source.Punish(id, lieCost)
		}
		if err != nil {
			cfg.Log.Debug("snapshot offer", "peer", id, "err", err)
			continue
		}
		at := 0
		for at < len(list) && list[at].offer.Depth != o.Depth {
			at++
		}
		if at == len(list) {
			list = append(list, &group{offer: o})
		}
		list[at].peers = append(list[at].peers, id)
		for ; at > 0 && len(list[at].peers) > len(list[at-1].peers); at-- {
			list[at], list[at-1] = list[at-1], list[at]
		}
	}
	return list
}

// offerOf asks one peer. Errors: ErrLie, ErrPeers if it offers another one.
func offerOf(ctx context.Context, cfg FetchConfig, id peers.ID, seal *header.Header) (Offer, error) {
	list, err := Offers(ctx, cfg.Source, id)
	if err != nil {
		return Offer{}, err
	}
	for _, o := range list {
		if o.Height == seal.Height {
			return o, o.fits(seal)
		}
	}
	return Offer{}, ErrPeers
}

// Offers asks one peer which snapshots it has. Nothing in the answer is checked
// against a chain. Errors: ErrLie if it is malformed, those of Ask.
func Offers(ctx context.Context, src Source, id peers.ID) ([]Offer, error) {
	var list []Offer
	err := ask(ctx, src, id, Request{}, func(b []byte) (err error) {
		list, err = decodeOffers(b)
		return err
	})
	return list, err
}

func ask(ctx context.Context, src Source, id peers.ID, q Request, each func([]byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return src.Ask(ctx, id, Protocol, enc.Encode(q), each)
}

// fetcher brings the chunks of one snapshot.
type fetcher struct {
	cfg   FetchConfig
	seal  header.Header
	offer Offer
	dir   string
	start time.Time

	mu      sync.Mutex
	missing []uint64 // numbers of chunks that nobody is fetching
	open    int      // chunks not yet on disk
	total   uint64
	told    time.Time
	failed  error // of the disk: ends everything
}

// run fetches what is missing. Each peer has perPeer goroutines.
func (f *fetcher) run(ctx context.Context, from []peers.ID) error {
	if err := errors.Join(f.forget(), os.MkdirAll(f.dir, 0o755)); err != nil {
		return err
	}
	f.total = merkle.Count(f.offer.Depth)
	for i := range f.total {
		if _, err := f.stored(i); err != nil {
			f.missing = append(f.missing, i)
		}
	}
	f.open = len(f.missing)
	f.cfg.Log.Info("snapshot", "height", f.seal.Height, "chunks", f.total, "here", f.total-uint64(f.open), "bytes", f.offer.Bytes, "peers", len(from))
	var list []*supplier
	for _, id := range from[:min(len(from), maxPeers)] {
		list = append(list, &supplier{id: id})
	}
	for { // a chunk that one peer gave back may come when the others are done
		f.round(ctx, list)
		list = slices.DeleteFunc(list, func(p *supplier) bool { return p.gone })
		switch {
		case f.failed != nil:
			return f.failed
		case f.open == 0:
			f.cfg.Log.Info("snapshot complete", "height", f.seal.Height, "in", time.Since(f.start).Round(time.Millisecond))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case len(list) == 0:
			return fmt.Errorf("%w: %d chunks of %d are missing", ErrPeers, f.open, f.total)
		}
	}
}

// forget removes what was fetched of other seals: nobody will come back for it.
func (f *fetcher) forget() error {
	list, err := filepath.Glob(filepath.Join(f.cfg.Dir, "join-*"))
	for _, dir := range list {
		if !strings.HasPrefix(filepath.Base(dir), fmt.Sprintf("join-%d-", f.seal.Height)) {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}

// round lets every peer work until it finds nothing to do.
func (f *fetcher) round(ctx context.Context, list []*supplier) {
	var wg sync.WaitGroup
	for _, p := range list {
		for range perPeer {
			wg.Add(1)
			go func() { defer wg.Done(); f.work(ctx, p) }()
		}
	}
	wg.Wait()
}

// supplier is a peer with what it has done wrong; the fetcher's lock guards it.
type supplier struct {
	id      peers.ID
	strikes int
	gone    bool
}

// work fetches chunks from one peer until none is left or the peer is given up.
func (f *fetcher) work(ctx context.Context, p *supplier) {
	for ctx.Err() == nil {
		i, ok := f.take(p)
		if !ok {
			return
		}
		b, err := f.chunk(ctx, p.id, i)
		if err == nil {
			err = f.check(b, i)
		}
		if err != nil {
			f.giveBack(ctx, p, i, err)
			continue
		}
		if err := f.save(b, i); err != nil {
			f.mu.Lock()
			f.failed = err
			f.mu.Unlock()
			return
		}
	}
}

// take hands out the number of a missing chunk.
func (f *fetcher) take(p *supplier) (uint64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.gone || f.failed != nil || len(f.missing) == 0 {
		return 0, false
	}
	i := f.missing[0]
	f.missing = f.missing[1:]
	return i, true
}

// giveBack returns a chunk that a peer did not deliver. Who lies is left at once
// and punished, who fails is left after some times.
func (f *fetcher) giveBack(ctx context.Context, p *supplier, i uint64, err error) {
	f.mu.Lock()
	f.missing = append(f.missing, i)
	lie, first := errors.Is(err, ErrLie), !p.gone
	p.strikes++
	p.gone = p.gone || lie || p.strikes >= strikes
	f.mu.Unlock()
	if lie && first {
		f.cfg.Log.Warn("peer sent a false chunk and is left alone", "peer", p.id, "chunk", i, "err", err)
		f.cfg.Source.Punish(p.id, lieCost)
		return
	}
	f.cfg.Log.Debug("snapshot chunk", "peer", p.id, "chunk", i, "err", err)
	select {
	case <-ctx.Done():
	case <-time.After(busyPause):
	}
}

// chunk asks a peer for all parts of a chunk. Errors: ErrLie, those of Ask.
func (f *fetcher) chunk(ctx context.Context, id peers.ID, i uint64) ([]byte, error) {
	q := Request{Height: f.seal.Height, Prefix: merkle.Prefix{Depth: f.offer.Depth, Index: i}}
	var out []byte
	var first Part
	for ; q.Part == 0 || q.Part < parts(first.Size); q.Part++ {
		var p Part
		err := ask(ctx, f.cfg.Source, id, q, func(b []byte) (err error) {
			p, err = decodePart(b)
			return err
		})
		if err != nil {
			return nil, err
		}
		if q.Part == 0 {
			first = p
			out = make([]byte, 0, min(p.Size, PartBytes))
		}
		want := min(PartBytes, first.Size-q.Part*PartBytes)
		if p.Name != first.Name || p.Size != first.Size || uint64(len(p.Data)) != want {
			return nil, fmt.Errorf("%w: part %d of chunk %d", ErrLie, q.Part, i)
		}
		out = append(out, p.Data...)
	}
	if !first.Name.Matches(out) {
		return nil, fmt.Errorf("%w: chunk %d is not %v", ErrLie, i, first.Name)
	}
	return out, nil
}

// check verifies a chunk against the seal. Errors: ErrLie.
func (f *fetcher) check(b []byte, i uint64) error {
	c, err := snapshot.Decode(b)
	if err == nil && c.Prefix != (merkle.Prefix{Depth: f.offer.Depth, Index: i}) {
		err = errors.New("another place")
	}
	if err == nil {
		err = c.Verify(f.seal.StateRoot)
	}
	if err != nil {
		return fmt.Errorf("%w: chunk %d: %w", ErrLie, i, err)
	}
	return nil
}

// save keeps a verified chunk. A file under its final name is whole.
func (f *fetcher) save(b []byte, i uint64) error {
	name := f.file(i)
	if err := os.WriteFile(name+unfinished, b, 0o644); err != nil {
		return err
	}
	if err := os.Rename(name+unfinished, name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	if done := f.total - uint64(f.open); time.Since(f.told) >= tellEvery {
		f.told = time.Now()
		f.cfg.Log.Info("snapshot", "chunk", done, "of", f.total, "in", time.Since(f.start).Round(time.Second))
	}
	return nil
}

func (f *fetcher) file(i uint64) string { return filepath.Join(f.dir, strconv.FormatUint(i, 16)) }

// stored returns a chunk that an earlier call has brought, verified again.
func (f *fetcher) stored(i uint64) ([]byte, error) {
	b, err := os.ReadFile(f.file(i))
	if err == nil {
		err = f.check(b, i)
	}
	return b, err
}
