// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/mempool"
	nodesync "github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/gossip"
	"github.com/openledger/openledger/p2p/mesh"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// ProtocolVersion is what this build speaks (P2P-03).
const ProtocolVersion = 1

const maxBlobBytes = 50 << 30 // disk for blobs

// binding proves that a peer id speaks for a vote key (P2P-02). It names no
// epoch: whether the key is in the set is looked up when it matters.
type binding struct {
	_   struct{} `cbor:",toarray"`
	Key keys.PublicKey
	Sig keys.Signature
}

func bindingBytes(chainID [32]byte, id peers.ID) []byte {
	return keys.Dom(keys.DomainPeerBind, chainID, id.String())
}

func (n *Node) bind(seed [32]byte) error {
	if n.cfg.Validator.IsZero() {
		return nil
	}
	id, err := p2p.IDFromSeed(seed)
	if err != nil {
		return err
	}
	sig := n.cfg.Validator.Sign(bindingBytes(n.chain.Env().ChainID, id))
	n.binding = enc.Encode(binding{Key: n.cfg.Validator.Public(), Sig: sig})
	return nil
}

func (n *Node) verifyBinding(id peers.ID, b []byte) (keys.PublicKey, error) {
	var v binding
	if err := enc.Decode(b, &v); err != nil {
		return keys.PublicKey{}, err
	}
	if !keys.Verify(v.Key, bindingBytes(n.chain.Env().ChainID, id), v.Sig) {
		return keys.PublicKey{}, errors.New("the binding's signature does not hold")
	}
	return v.Key, nil
}

func (n *Node) hostConfig(seed [32]byte) p2p.Config {
	set := n.cfg.Settings.P2P
	cfg := p2p.Config{KeySeed: seed, ChainID: n.chain.Env().ChainID, Listen: set.Listen, Bootstrap: set.Bootstrap,
		Profile: set.Profile, UserAgent: "openledger/" + Version, Version: ProtocolVersion, MinVersion: ProtocolVersion,
		Status: n.peerStatus, VerifyBinding: n.verifyBinding, OnPeer: n.onPeer,
		StoreFile: filepath.Join(n.cfg.Home, "peers.json"), Logger: n.log}
	if !n.cfg.Validator.IsZero() {
		cfg.OnFrame = n.onFrame
	}
	return cfg
}

// setMembers tells the host who the validators are.
func (n *Node) setMembers(set *valset.Set) {
	members := make([]keys.PublicKey, set.Len())
	for i := range members {
		members[i] = set.Key(i)
	}
	own := keys.PublicKey{}
	if !n.cfg.Validator.IsZero() {
		own = n.cfg.Validator.Public()
	}
	n.host.SetMembers(own, members)
}

func (n *Node) peerStatus() p2p.Status {
	h := n.chain.Head()
	return p2p.Status{Height: h.Height, Final: h.HeaderHash, Epoch: n.chain.Set().Epoch(), Earliest: max(n.store.Oldest(), 1), Binding: n.binding}
}

func (n *Node) onFrame(_ keys.PublicKey, frame []byte) {
	n.member.Deliver(frame)
}

func (n *Node) onPeer(e p2p.Event) {
	n.log.Debug("peer", "id", e.Peer.ID, "kind", e.Kind, "height", e.Peer.Status.Height, "validator", e.Peer.Key)
	n.heights.told(e.Peer.ID)
	if e.Kind != p2p.PeerDown {
		n.syncer.Wake()
	}
}

func (n *Node) peerIDs() (out []peers.ID) {
	for _, p := range n.host.Peers() {
		out = append(out, p.ID)
	}
	return out
}

// best is the highest final height that this node has heard of: proved by
// gossip, or claimed by a peer that was not found to have less.
func (n *Node) best() uint64 {
	best := n.heights.top()
	for _, p := range n.host.Peers() {
		best = max(best, n.heights.believed(p.ID, p.Status.Height))
	}
	return best
}

// lag is how many heights this node is behind the best it has heard of.
func (n *Node) lag() uint64 {
	own := n.chain.Head().Height
	return max(n.best(), own) - own
}

// askEvery is how often one peer is asked how high it is. Gossip of final blocks
// tells it faster; this is for a node that gossip does not reach.
const askEvery = 5 * time.Second

// askHeights asks the connected peers for their status, one after another, until
// ctx ends.
func (n *Node) askHeights(ctx context.Context) {
	for turn := 0; pause(ctx, askEvery); turn++ {
		list := n.host.Peers()
		if len(list) == 0 {
			continue
		}
		id := list[turn%len(list)].ID
		if _, err := n.host.RequestStatus(ctx, id); err != nil && ctx.Err() == nil {
			n.log.Debug("ask status", "peer", id, "err", err)
		}
	}
}

// protocols registers what this node answers (P2P-08).
func (n *Node) protocols() error {
	list := []stream.Protocol{
		{Name: nodesync.Protocol, MaxFrame: nodesync.MaxFrame, MaxTotal: 12 << 20, Deadline: 20 * time.Second, Rate: 4, Burst: 64,
			Handler: func(_ context.Context, _ peers.ID, req []byte, send func([]byte) error) error {
				return nodesync.Serve(n.chain, req, send)
			}},
		{Name: driver.ProtocolBatch, MaxFrame: mesh.MaxFrame, MaxTotal: 16 << 20, Deadline: 2 * time.Second, Rate: 256, Burst: 512,
			Handler: func(_ context.Context, _ peers.ID, req []byte, send func([]byte) error) error {
				d := n.member.Driver()
				if d == nil {
					return stream.ErrNotFound
				}
				return d.ServeBatches(req, send)
			}},
		{Name: driver.ProtocolCerts, MaxFrame: 1 << 20, MaxTotal: 4 << 20, Deadline: 10 * time.Second, Rate: 10, Burst: 64,
			Handler: func(ctx context.Context, _ peers.ID, req []byte, send func([]byte) error) error {
				d := n.member.Driver()
				if d == nil {
					return stream.ErrNotFound
				}
				return d.ServeCerts(ctx, req, func(b []byte) error {
					if !n.member.Lets(b) {
						return nil
					}
					return send(b)
				})
			}},
	}
	list = append(append(list, n.inferProtocol()), n.pastProtocols()...)
	for _, p := range list {
		if err := n.host.Streams().Register(p); err != nil {
			return err
		}
	}
	return nil
}

// validators implements driver.Network.
type validators struct{ n *Node }

// Broadcast implements driver.Network.
func (v validators) Broadcast(frame []byte, view uint64, own bool) {
	if err := v.n.host.Mesh().Broadcast(mesh.Frame{Data: frame, View: view, Keep: own}); err != nil {
		v.n.log.Error("broadcast", "bytes", len(frame), "err", err)
	}
}

// Linked implements driver.Network.
func (v validators) Linked() []keys.PublicKey { return v.n.host.Mesh().Connected() }

// Ask implements driver.Network.
func (v validators) Ask(ctx context.Context, key keys.PublicKey, protocol string, req []byte, each func([]byte) error) error {
	for _, p := range v.n.host.Peers() {
		if p.Key == key {
			return v.n.host.Streams().RequestFrames(ctx, p.ID, protocol, req, each)
		}
	}
	return fmt.Errorf("validator %v is not connected", key)
}

// source implements nodesync.Source.
type source struct{ n *Node }

// Peers implements nodesync.Source: those that are believed to be furthest ahead
// come first, those that have given up the block above the own head last.
func (s source) Peers() []peers.ID {
	list := s.n.host.Peers()
	next := s.n.chain.Head().Height + 1
	given := func(p p2p.Peer) int { return cmp.Compare(max(p.Status.Earliest, next), next) }
	slices.SortStableFunc(list, func(a, b p2p.Peer) int {
		return cmp.Or(cmp.Compare(given(a), given(b)), cmp.Compare(s.n.heights.believed(b.ID, b.Status.Height), s.n.heights.believed(a.ID, a.Status.Height)))
	})
	out := make([]peers.ID, len(list))
	for i, p := range list {
		out[i] = p.ID
	}
	return out
}

// Ahead implements nodesync.Source.
func (s source) Ahead(height uint64) bool { return s.n.best() > height }

// Short implements nodesync.Source.
func (s source) Short(id peers.ID, height uint64) { s.n.heights.hadOnly(id, height) }

// Ask implements nodesync.Source.
func (s source) Ask(ctx context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error {
	return s.n.host.Streams().RequestFrames(ctx, id, protocol, req, each)
}

// Punish implements nodesync.Source.
func (s source) Punish(id peers.ID, points float64) { s.n.host.Book().Add(id, points) }

// topics are the joined gossip topics.
type topics struct{ tx, final, manifest *gossip.Topic }

func (n *Node) joinTopics() (err error) {
	g := n.host.Gossip()
	if n.topics.tx, err = g.Join(gossip.Tx, n.onTx); err != nil {
		return err
	}
	if n.topics.final, err = g.Join(gossip.Final, n.onFinal); err != nil {
		return err
	}
	n.topics.manifest, err = g.Join(gossip.Manifest, n.onManifest)
	return err
}

// onTx admits a gossiped transaction: invalid ones charge the peer, the rest is
// local policy (P2P-11).
func (n *Node) onTx(_ context.Context, _ peers.ID, data []byte) gossip.Verdict {
	_, err := n.admit(bytes.Clone(data))
	switch {
	case err == nil:
		return gossip.Accept
	case errors.Is(err, tx.ErrInvalid):
		return gossip.Reject
	}
	return gossip.Ignore
}

// admit decodes, verifies and adds one gossiped transaction to the mempool. Errors:
// those of tx and mempool.
func (n *Node) admit(raw []byte) (tx.ID, error) {
	ids, errs := n.admitAll([][]byte{raw}, false)
	return ids[0], errs[0]
}

// admitAll is admit for several at once, whose signatures are checked as one
// batch. own says that they came here by themselves. Both results have the order
// of raws.
func (n *Node) admitAll(raws [][]byte, own bool) ([]tx.ID, []error) {
	ids, errs := make([]tx.ID, len(raws)), make([]error, len(raws))
	var fresh [][]byte
	var place []int
	for i, raw := range raws {
		if v, ok := n.pool.Lookup(raw); ok {
			ids[i], errs[i] = v.ID(), mempool.ErrKnown
			continue
		}
		fresh, place = append(fresh, raw), append(place, i)
	}
	done, bad := tx.VerifyRaw(n.chain.Env().ChainID, fresh)
	var good []tx.Verified
	var at []int
	for j, i := range place {
		if errs[i] = bad[j]; bad[j] == nil {
			ids[i] = done[j].ID()
			good, at = append(good, done[j]), append(at, i)
		}
	}
	added := false
	for j, err := range n.pool.AddAll(good, own) {
		errs[at[j]] = err
		added = added || err == nil
	}
	if d := n.member.Driver(); added && d != nil {
		d.Wake()
	}
	return ids, errs
}

func (n *Node) verifyTxs(raw [][]byte) ([]tx.Verified, error) {
	return ledger.VerifyTxs(n.chain.Env().ChainID, raw, n.pool)
}

// publishFinal tells the network of a block that this node has led.
func (n *Node) publishFinal(h *header.Header, fin *cert.Certificate) {
	if err := n.topics.final.Publish(context.Background(), chain.EncodeHeaderCert(h, fin, nil)); err != nil {
		n.log.Debug("publish final", "height", h.Height, "err", err)
	}
}

// onFinal notes that a newer block is final, and wakes a follower. The message
// must be a header with its own finalization.
func (n *Node) onFinal(_ context.Context, _ peers.ID, data []byte) gossip.Verdict {
	h, fin, carriers, err := chain.DecodeHeaderCert(data)
	if err != nil || fin == nil || len(carriers) > 0 || fin.Hash() != h.Hash() {
		return gossip.Reject
	}
	if h.Height <= n.heights.top() || h.Height <= n.chain.Head().Height {
		return gossip.Ignore
	}
	if h.Epoch != n.chain.Set().Epoch() { // signed by a set that is not known here yet
		n.syncer.Wake()
		return gossip.Ignore
	}
	if err := cert.VerifyFinalization(n.chain.Set(), n.chain.Env().ChainID, fin); err != nil {
		return gossip.Reject
	}
	n.heights.prove(h.Height)
	n.syncer.Wake()
	return gossip.Accept
}
