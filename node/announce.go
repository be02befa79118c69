// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/p2p/gossip"
	"github.com/openledger/openledger/p2p/peers"
)

// Rules of announcements (P2P-10). Gossip forgets: a node that was down, or that
// was behind and could not judge an announcement yet, hears of it when its
// provider announces it again. An announcement is passed on only if it is newer
// than the last one of its object by againAfter, whoever sent it, so nobody can
// flood the network with old ones.
const (
	againAfter = 20_000 // milliseconds
	maxFuture  = 30_000 // milliseconds that an announcement's time may lie ahead
	maxEarly   = 256    // announcements that came before their transaction
	earlyFor   = 2 * time.Minute
)

// repeats are the times from one announcement of a provider to the next; the
// last one goes on for ever.
var repeats = []time.Duration{25 * time.Second, time.Minute, 3 * time.Minute, 10 * time.Minute}

// errNotYet says that an announcement's object is not on the ledger; errOld that
// it tells nothing new.
var (
	errNotYet = errors.New("object is not on the ledger yet")
	errOld    = errors.New("announcement is not new")
)

// announced keeps the newest announcement of each object, on disk. It is safe for
// concurrent use.
type announced struct {
	local *store.Local
	mu    sync.Mutex
	early map[tx.ID]early
	mine  map[tx.ID]repeat
}

// early is an announcement whose object is not on the ledger yet.
type early struct {
	a     publish.Announcement
	own   bool // handed in here: to be sent out
	since time.Time
}

// repeat is when an object that this node provides is announced next.
type repeat struct {
	at   time.Time
	step int
}

func newAnnounced(l *store.Local) *announced {
	return &announced{local: l, early: map[tx.ID]early{}, mine: map[tx.ID]repeat{}}
}

const announcedPrefix = "announced/"

func announcedKey(id tx.ID) []byte { return append([]byte(announcedPrefix), id[:]...) }

// get returns the announcement of an object; ok is false if none was heard.
func (s *announced) get(chainID [32]byte, id tx.ID) (publish.Announcement, bool) {
	b, err := s.local.Get(announcedKey(id))
	if err != nil {
		return publish.Announcement{}, false
	}
	a, err := publish.DecodeAnnouncement(chainID, b)
	return a, err == nil
}

func (s *announced) put(a publish.Announcement) error {
	return s.local.Put(announcedKey(a.ID), a.Encode(), false)
}

// hold keeps an announcement that came too early; an own one is not replaced.
func (s *announced) hold(e early) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.early) >= maxEarly {
		clear(s.early)
	}
	if !s.early[e.a.ID].own {
		s.early[e.a.ID] = e
	}
}

// ripe takes out the early ones that are to be looked at again: those whose
// object exists now. Those that waited too long are dropped.
func (s *announced) ripe(exists func(publish.Announcement) bool, now time.Time) (out []early) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, e := range s.early {
		switch {
		case exists(e.a):
			out = append(out, e)
			delete(s.early, id)
		case now.Sub(e.since) > earlyFor:
			delete(s.early, id)
		}
	}
	return out
}

// provide plans the next announcement of an object by this node.
func (s *announced) provide(id tx.ID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mine[id] = repeat{at: now.Add(repeats[0])}
}

// due returns the objects to announce now and plans their next time.
func (s *announced) due(now time.Time) (out []tx.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.mine {
		if now.Before(r.at) {
			continue
		}
		out = append(out, id)
		r.step = min(r.step+1, len(repeats)-1)
		s.mine[id] = repeat{at: now.Add(repeats[r.step]), step: r.step}
	}
	return out
}

// learn checks an announcement against the ledger and keeps it. own says that it
// was handed in here. Errors: publish.ErrManifest, errNotYet, errOld.
func (n *Node) learn(a publish.Announcement, own bool) error {
	now := n.clock.Wall()
	old, heard := n.objects.get(n.chain.Env().ChainID, a.ID)
	if a.TimeMS > now+maxFuture || heard && a.TimeMS < old.TimeMS+againAfter && !own {
		return errOld
	}
	v, err := n.view()
	if err != nil {
		return err
	}
	owner, err := objectOwner(v, a)
	switch {
	case errors.Is(err, state.ErrUnknown):
		n.objects.hold(early{a: a, own: own, since: time.Now()})
		return errNotYet
	case err != nil:
		return err
	case owner != a.Owner():
		return fmt.Errorf("%w: not signed by the owner", publish.ErrManifest)
	}
	if len(a.Manifest) > 0 {
		if _, err := n.blobs.PutDocument(a.Manifest); err != nil {
			return err
		}
	}
	return n.objects.put(a)
}

func objectOwner(v state.View, a publish.Announcement) (keys.Address, error) {
	if a.Kind == publish.KindModel {
		m, err := state.GetModel(v, a.ID)
		return m.Owner, err
	}
	d, err := state.GetDataset(v, a.ID)
	if err == nil && !d.Manifest.Matches(a.Manifest) {
		err = fmt.Errorf("%w: not the manifest on the ledger", publish.ErrManifest)
	}
	return d.Owner, err
}

// onManifest learns of a dataset or model from a peer.
func (n *Node) onManifest(_ context.Context, _ peers.ID, data []byte) gossip.Verdict {
	a, err := publish.DecodeAnnouncement(n.chain.Env().ChainID, data)
	if err == nil {
		err = n.learn(a, false)
	}
	switch {
	case err == nil:
		return gossip.Accept
	case errors.Is(err, publish.ErrManifest):
		return gossip.Reject
	}
	return gossip.Ignore
}

// announce keeps an announcement that a client hands in and sends it out, now or
// when its object is on the ledger. Errors: publish.ErrManifest, those of gossip.
func (n *Node) announce(ctx context.Context, b []byte) error {
	a, err := publish.DecodeAnnouncement(n.chain.Env().ChainID, b)
	if err != nil {
		return err
	}
	a.TimeMS = n.clock.Wall()
	if err := n.learn(a, true); err != nil {
		if errors.Is(err, errNotYet) {
			return nil // retryEarly sends it
		}
		return err
	}
	if n.provides(a) {
		n.objects.provide(a.ID, time.Now())
	}
	return n.out.publish(ctx, n.topics.manifest, a.Encode())
}

// provides reports whether an announcement names this node.
func (n *Node) provides(a publish.Announcement) bool {
	for _, p := range a.Providers {
		if strings.HasSuffix(p, "/p2p/"+n.host.ID().String()) {
			return true
		}
	}
	return false
}

// retryEarly keeps announcements whose objects have appeared. Those that were
// handed in here are sent out now; others are not passed on, because gossip would
// drop the bytes that it has seen: their provider announces them again.
func (n *Node) retryEarly(ctx context.Context) error {
	v, err := n.view()
	if err != nil {
		return err
	}
	ripe := n.objects.ripe(func(a publish.Announcement) bool {
		_, err := objectOwner(v, a)
		return !errors.Is(err, state.ErrUnknown)
	}, time.Now())
	for _, e := range ripe {
		if e.own {
			err = n.announce(ctx, e.a.Encode())
		} else {
			err = n.learn(e.a, false)
		}
		if err != nil {
			n.log.Debug("announcement", "id", e.a.ID, "err", err)
		}
	}
	return nil
}

// announceAgain repeats what this node provides until ctx ends.
func (n *Node) announceAgain(ctx context.Context) {
	n.loadProvided()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, id := range n.objects.due(time.Now()) {
			a, ok := n.objects.get(n.chain.Env().ChainID, id)
			if !ok {
				continue
			}
			addrs := n.host.Addrs() // others may have named themselves meanwhile
			a.TimeMS, a.Providers = n.clock.Wall(), addrs[:min(len(addrs), 4)]
			if err := errors.Join(n.objects.put(a), n.out.publish(ctx, n.topics.manifest, a.Encode())); err != nil {
				n.log.Debug("announce again", "id", id, "err", err)
			}
		}
	}
}

// loadProvided plans the announcements of what this node provided before it was
// started.
func (n *Node) loadProvided() {
	now := time.Now()
	err := n.objects.local.Iterate([]byte(announcedPrefix), func(_, b []byte) bool {
		if a, err := publish.DecodeAnnouncement(n.chain.Env().ChainID, b); err == nil && n.provides(a) {
			n.objects.provide(a.ID, now)
		}
		return true
	})
	if err != nil {
		n.log.Warn("announcements on disk", "err", err)
	}
}
